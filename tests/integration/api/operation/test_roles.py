"""Each service's role of PostgreSQL may do its part of operation, and sees no more."""

from collections.abc import Callable

import pytest
from sqlalchemy.exc import ProgrammingError

from api.app import create_app
from api.web.listener import LISTENER
from jobs.base.bootstrap import Ground
from jobs.presence.workers import announce, forget_silent, give_sign, is_drained, leave
from jobs.tables import ModelVersion
from jobs.tenants.keys import NewKey, create_key
from migrations.grants import API, IO, WORKER
from tests.integration.api.callers import Caller
from tests.integration.jobs.builders import claim_one, submit_items


def test_the_apis_role_shows_figures_and_drains_and_a_workers_tells_of_itself(
    as_role: Callable[[str], Ground], ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    api, io, worker = as_role(API), as_role(IO), as_role(WORKER)
    for each in (io, worker):
        announce(each.database, f"{id(each)}/cpu0", "cpu", "1")
        assert give_sign(each.database, f"{id(each)}/cpu0")
    submit_items(api, tenant, digits_model, count=3)
    claim_one(worker, owner=f"{id(worker)}/cpu0")
    app = create_app(api)
    operator = Caller(app, create_key(ground.database, "ops", admin=True))
    for path in ("jobs", "tenants", "workers", "usage", "storage"):
        assert operator.get(f"/v1/admin/{path}").status_code == 200, path
    assert "pixelmill_workers{" in operator.get("/metrics").text
    assert operator.get("/readyz").json["workers"]["cpu"] == 2
    assert operator.post(f"/v1/admin/workers/{id(worker)}/drain").status_code == 200
    assert is_drained(worker.database, f"{id(worker)}/cpu0")
    leave(worker.database, f"{id(worker)}/cpu0")
    forget_silent(io.database)
    app.extensions[LISTENER].close()


def test_a_workers_role_reads_no_key_and_deletes_no_row_of_others(
    as_role: Callable[[str], Ground],
) -> None:
    from sqlalchemy import delete

    from jobs.tables import WorkerProcess

    with (
        pytest.raises(ProgrammingError, match="permission denied"),
        as_role(WORKER).database.write() as session,
    ):
        session.execute(delete(WorkerProcess))
