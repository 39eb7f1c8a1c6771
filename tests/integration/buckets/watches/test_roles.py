"""Each service's role of PostgreSQL may do its part of a watch, and no worker sees one."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import ProgrammingError

from jobs.aftercare.tidying import delete_strays
from jobs.base.bootstrap import Ground
from jobs.buckets.allowances import allow
from jobs.buckets.sources import Buckets
from jobs.tables import ModelVersion, Watch
from jobs.tenants.audit import Actor
from jobs.tenants.keys import NewKey
from jobs.watches.watches import (
    Wanted,
    create_watch,
    delete_watch,
    find_watch,
    open_items,
    pause_watch,
    resume_watch,
)
from migrations.grants import API, IO, WORKER
from tests.integration.jobs.builders import claim_one
from workers.errands.watching import watch_next


def test_each_role_does_its_part_and_sees_no_more(
    as_role: Callable[[str], Ground],
    ground: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    api, io, worker = as_role(API), as_role(IO), as_role(WORKER)
    folder: Path = tmp_path_factory.mktemp("disk") / "photos"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"a")
    allow(ground.database, ground.settings, "acme", folder.as_uri(), "")
    actor = Actor("key_1", tenant.tenant_id)
    said = {"priority": "low", "completion_window_s": 60.0}
    wanted = Wanted({"prefix": folder.as_uri()}, {"model": "digits", "params": {}}, said, 1.0)
    watch, _ = create_watch(api, actor, wanted)
    pause_watch(api, actor, watch.id)
    resume_watch(api, actor, watch.id)
    with closing(Buckets(io)) as buckets:
        for _ in range(2):
            with io.database.write() as session:
                session.execute(update(Watch).values(next_at=0.0))
            assert watch_next(io, buckets)
    with api.database.read() as session:
        row = find_watch(session, tenant.tenant_id, watch.id)
        assert (row.last_error, row.jobs_created) == (None, 1)
        assert open_items(session, [row]) == {watch.id: 1}
    assert claim_one(worker).count == 1
    denied = pytest.raises(ProgrammingError, match="permission denied")
    with denied, worker.database.read() as session:
        session.scalars(select(Watch.id)).all()
    assert delete_strays(io, older_than_s=-60) == 0
    delete_watch(api, actor, watch.id)
