"""A deleted job is over, hidden and erased, whatever was going on with it."""

import dataclasses
from collections.abc import Sequence

import pytest
from sqlalchemy import func, select

from jobs.aftercare.deletion import delete_job
from jobs.aftercare.retention import erase_due
from jobs.aftercare.tidying import tidy_due
from jobs.base.bootstrap import Ground
from jobs.base.errors import Conflict, NotFound
from jobs.base.states import JobStatus
from jobs.base.storage import Storage, StorageError, segment_name
from jobs.intake.submission import Idempotency, Submission, submit
from jobs.queue.commits import Tally, commit
from jobs.queue.completion import cancel
from jobs.queue.reading import get_job, list_jobs
from jobs.queue.scheduling import claim
from jobs.queue.shard_leases import renew
from jobs.queue.turns import Line
from jobs.results.segments import write_segment
from jobs.tables import Delivery, Job, ModelVersion, Shard
from jobs.tenants.keys import NewKey, create_key
from tests.integration.jobs.builders import claim_one, rows_of, run_one, submit_items
from tests.integration.jobs.checks import read_job
from tests.integration.jobs.test_retention import age, has_file, submit_file, upload
from tests.integration.jobs.test_tidying import make_due


def blobs_of(ground: Ground, job: Job) -> list[str]:
    return list(ground.storage.list(f"jobs/{job.id}/"))


def count(ground: Ground, table: type, job: Job) -> int:
    with ground.database.read() as session:
        rows = select(func.count()).select_from(table).where(table.job_id == job.id)
        return session.scalar(rows) or 0


def delete(ground: Ground, tenant: NewKey, job: Job) -> Job:
    return delete_job(ground, tenant.tenant_id, job.id)


def test_a_finished_job_is_erased_with_all_that_it_holds(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    webhook = {"url": "http://x.example/", "events": ["job.completed"]}
    job = submit_items(
        ground, tenant, digits_model, count=3, webhook=webhook, metadata={"patient": "Ada"}
    )
    run_one(ground, claim_one(ground))
    assert blobs_of(ground, job)
    gone = delete(ground, tenant, job)
    assert gone.outputs_erased_at is not None
    assert blobs_of(ground, job) == []
    assert count(ground, Shard, job) == count(ground, Delivery, job) == 0
    said = (gone.requested, gone.params, gone.metadata_, gone.webhook, gone.manifest)
    assert said == ({}, {}, {}, None, None)
    # What an operator is owed for stays: who, when, how much.
    assert (gone.tenant_id, gone.completed, gone.status) == (tenant.tenant_id, 3, "completed")


def test_nobody_sees_a_deleted_job(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job, other = (submit_items(ground, tenant, digits_model) for _ in range(2))
    delete(ground, tenant, job)
    with ground.database.read() as session:
        with pytest.raises(NotFound):
            get_job(session, tenant.tenant_id, job.id)
        found = list_jobs(session, tenant.tenant_id, after=None, limit=10)
    assert [each.id for each in found] == [other.id]
    with pytest.raises(NotFound):
        cancel(ground.database, tenant.tenant_id, job.id)


def test_repeating_a_deletion_gives_the_same_receipt(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model)
    first, second = delete(ground, tenant, job), delete(ground, tenant, job)
    assert first.deleted_at == second.deleted_at
    assert first.outputs_erased_at == second.outputs_erased_at is not None


def test_another_tenants_job_cannot_be_deleted(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model)
    stranger = create_key(ground.database, "stranger")
    with pytest.raises(NotFound):
        delete(ground, stranger, job)
    assert read_job(ground, job.id).deleted_at is None


def test_a_worker_that_runs_a_deleted_job_hears_of_it_and_cannot_commit(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model, count=64)
    done, lease = claim_one(ground), claim_one(ground)
    run_one(ground, done)
    gone = delete(ground, tenant, job)
    assert gone.status is JobStatus.CANCELLED
    assert (gone.completed, gone.cancelled) == (32, 32)
    assert renew(ground.database, lease.owner, [lease], 30).lost == {lease.shard_id}
    name = segment_name(job.id, lease.first, lease.fence)
    write_segment(ground.storage, name, rows_of(lease))
    assert not commit(ground.database, lease, name, Tally(succeeded=lease.count), 0.1)
    assert claim(ground.database, Line("cpu"), "node", 30) is None


def test_a_late_commit_for_a_deleted_job_does_not_meet_the_next_jobs_shard(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    delete(ground, tenant, submit_items(ground, tenant, digits_model))
    job = submit_items(ground, tenant, digits_model)
    late = claim_one(ground)
    delete(ground, tenant, job)
    after = submit_items(ground, tenant, digits_model)
    lease = claim_one(ground)
    assert lease.shard_id != late.shard_id, "an id is never given twice"
    assert not commit(ground.database, late, "late", Tally(succeeded=1), 0.1)
    assert run_one(ground, lease)
    assert read_job(ground, after.id).status is JobStatus.COMPLETED


def test_a_job_that_waits_to_be_prepared_can_be_deleted(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    file = upload(ground, tenant)
    job = submit_items(ground, tenant, digits_model, requests=None, input_file_id=file.id)
    assert delete(ground, tenant, job).status is JobStatus.CANCELLED
    assert has_file(ground, tenant, file), "an upload is a file of its own"


def test_inputs_go_too_where_the_job_had_asked_for_it(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    file = upload(ground, tenant)
    job = submit_file(ground, tenant, digits_model, file, delete_inputs=True)
    delete(ground, tenant, job)
    assert not has_file(ground, tenant, file)


def test_inputs_that_another_job_still_needs_outlive_a_deleted_one(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    file = upload(ground, tenant)
    job, other = (
        submit_file(ground, tenant, digits_model, file, delete_inputs=each)
        for each in (True, False)
    )
    delete(ground, tenant, job)
    assert has_file(ground, tenant, file)
    delete(ground, tenant, other)
    erase_due(ground)
    assert not has_file(ground, tenant, file), "the first of them had asked for it"


def test_an_idempotency_key_does_not_make_a_deleted_job_anew(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    submission = Submission(
        tenant.tenant_id, digits_model, {}, {"model": "digits"}, "cpu", uploads=(), requests=None
    )
    submission = dataclasses.replace(submission, input_file_id=upload(ground, tenant).id)
    key = Idempotency("once", "same")
    job, _ = submit(ground, submission, key)
    delete(ground, tenant, job)
    with pytest.raises(Conflict, match="was deleted"):
        submit(ground, submission, key)


@pytest.mark.parametrize("first", ["outputs over", "deleted"])
def test_a_job_whose_results_are_gone_already_is_erased_with_the_rest(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, first: str
) -> None:
    job = submit_items(ground, tenant, digits_model, count=3, metadata={"patient": "Ada"})
    run_one(ground, claim_one(ground))
    away = dataclasses.replace(ground, storage=Away(ground.storage.url))
    if first == "deleted":
        delete(away, tenant, job)
    age(ground, job, 31 * 86_400)
    assert erase_due(ground) >= 1
    gone = delete(ground, tenant, job)
    assert (gone.metadata_, count(ground, Shard, job)) == ({}, 0)
    assert gone.outputs_erased_at is not None
    assert gone.outputs_erased_at >= (gone.deleted_at or 0)


def test_what_a_worker_writes_of_a_job_after_its_deletion_does_not_stay(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model)
    late = claim_one(ground)
    delete(ground, tenant, job)
    write_segment(ground.storage, segment_name(job.id, late.first, late.fence), rows_of(late))
    make_due(ground)
    assert tidy_due(ground) == 1
    assert blobs_of(ground, job) == []


class Away(Storage):
    """Cannot delete."""

    def delete(self, names: Sequence[str]) -> None:
        raise StorageError("away")


def test_what_could_not_be_erased_at_once_is_erased_by_the_sweeper(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model, count=3)
    run_one(ground, claim_one(ground))
    gone = delete(dataclasses.replace(ground, storage=Away(ground.storage.url)), tenant, job)
    assert gone.deleted_at is not None
    assert gone.outputs_erased_at is None
    assert blobs_of(ground, job)
    assert erase_due(ground) == 1
    assert blobs_of(ground, job) == []
    assert read_job(ground, job.id).outputs_erased_at is not None
    assert erase_due(ground) == 0
