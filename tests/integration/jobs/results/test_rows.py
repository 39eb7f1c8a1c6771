"""What is read of a job's results is what was there when somebody began to read."""

from jobs.base.bootstrap import Ground
from jobs.results.rows import read_rows
from jobs.tables import ModelVersion
from jobs.tenants.keys import NewKey
from tests.integration.jobs.builders import claim_one, run_one, submit_items


def test_rows_up_to_a_commit_are_read_whatever_was_committed_since(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model, 64)
    run_one(ground, claim_one(ground))
    (until, *_) = {cursor.commit for cursor, _ in read_rows(ground, job)}
    before = len(list(read_rows(ground, job)))
    run_one(ground, claim_one(ground))
    assert len(list(read_rows(ground, job))) > before
    assert len(list(read_rows(ground, job, until=until))) == before
