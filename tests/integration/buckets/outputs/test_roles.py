"""Each service's role of PostgreSQL may do its part of an output, and no more."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.exc import ProgrammingError

from jobs.base.bootstrap import Ground
from jobs.base.states import OutputState
from jobs.buckets.sources import Buckets
from jobs.inputs.requests import Request
from jobs.intake.submission import Submission, submit
from jobs.outputs.writing import write_next
from jobs.tables import JobOutput, ModelVersion
from jobs.tenants.keys import NewKey
from migrations.grants import API, IO, WORKER
from models.catalog import prediction_of
from tests.integration.buckets.outputs.conftest import answer_all, may_write


def test_each_role_does_its_part(
    as_role: Callable[[str], Ground],
    ground: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    api, io, worker = as_role(API), as_role(IO), as_role(WORKER)
    room: Path = tmp_path_factory.mktemp("lake")
    may_write(ground, room.as_uri(), "")
    submission = Submission(
        tenant_id=tenant.tenant_id,
        model=digits_model,
        requested={"model": "digits", "params": {}},
        params={},
        pool="cpu",
        requests=(Request("a", data=b"0123456789"),),
        output={"url": room.as_uri(), "format": "parquet"},
    )
    job, _ = submit(api, submission)
    answer_all(worker)
    with closing(Buckets(io)) as buckets:
        assert write_next(io, buckets, prediction_of)
    with api.database.read() as session:
        row = session.get_one(JobOutput, job.id)
    assert (row.state, row.rows) == (OutputState.WRITTEN, 1)
    denied = pytest.raises(ProgrammingError, match="permission denied")
    with denied, worker.database.write() as session:
        session.delete(session.scalars(select(JobOutput)).one())
