"""A job's life on both databases: submit, claim, commit, cancel, expire, read."""

import pytest
from sqlalchemy import func, select, update

from jobs.base.bootstrap import Ground
from jobs.base.errors import Conflict, InvalidInput
from jobs.base.states import ItemStatus, JobStatus, Outcome, ShardState
from jobs.inputs.requests import Request
from jobs.queue.commits import Tally, commit
from jobs.queue.completion import cancel, expire_overdue
from jobs.queue.reading import get_job, is_over
from jobs.queue.scheduling import claim
from jobs.queue.shard_leases import expire, fail, hand_back, renew, take_back
from jobs.queue.turns import Line
from jobs.results.rows import Cursor, read_page, read_rows, read_rows_by_index
from jobs.tables import Delivery, Job, ModelVersion, Shard
from jobs.tenants.keys import NewKey, create_key
from tests.integration.jobs.builders import claim_one, run_one, second_version, submit_items


def reload(ground: Ground, job: Job) -> Job:
    with ground.database.read() as session:
        found = get_job(session, job.tenant_id, job.id)
    counts = found.request_counts
    ended = ("completed", "failed", "processing", "cancelled", "expired")
    assert counts["total"] == sum(counts[name] for name in ended)
    assert min(counts.values()) >= 0
    return found


def indexes(ground: Ground, job: Job) -> list[int]:
    return [row.index for _, row in read_rows(ground, reload(ground, job))]


def test_a_job_runs_from_submission_to_results(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model, count=250)
    assert reload(ground, job).status is JobStatus.IN_PROGRESS
    while (lease := claim(ground.database, Line("cpu"), "node-1", 30)) is not None:
        assert run_one(ground, lease)
    done = reload(ground, job)
    assert (done.status, done.outcome) == (JobStatus.COMPLETED, Outcome.SUCCEEDED)
    assert done.pending_shards == 0
    assert sorted(indexes(ground, job)) == list(range(250))


def test_a_late_commit_is_discarded(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model)
    slow = claim_one(ground, "slow", lease_s=-1)
    assert expire(ground.database) == 1
    quick = claim_one(ground, "quick")
    assert quick.fence == slow.fence + 1
    assert run_one(ground, quick)
    assert not run_one(ground, slow)
    assert reload(ground, job).request_counts["completed"] == 1
    assert indexes(ground, job) == [0]


def test_a_renewal_tells_which_leases_are_lost_and_which_jobs_are_ending(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    lost, ending, kept = (submit_items(ground, tenant, digits_model) for _ in range(3))
    leases = {(lease := claim_one(ground)).job_id: lease for _ in range(3)}
    assert hand_back(ground.database, leases[lost.id])
    cancel(ground.database, tenant.tenant_id, ending.id)
    renewal = renew(ground.database, "node-1", leases.values(), 30)
    assert renewal.lost == {leases[lost.id].shard_id}
    assert renewal.ending == {leases[ending.id].shard_id: ItemStatus.CANCELLED}
    assert leases[kept.id].shard_id not in renewal.lost


def test_who_was_late_neither_renews_nor_gives_back_what_another_has_by_now(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    submit_items(ground, tenant, digits_model)
    slow = claim_one(ground, "slow", lease_s=-1)
    assert expire(ground.database) == 1
    quick = claim_one(ground, "quick")
    with ground.database.read() as session:
        until = session.get_one(Shard, quick.shard_id).lease_until
    assert renew(ground.database, "slow", [slow], 3000).lost == {slow.shard_id}
    with ground.database.read() as session:
        assert session.get_one(Shard, quick.shard_id).lease_until == until
    assert not hand_back(ground.database, slow)
    assert not fail(ground.database, slow)
    assert run_one(ground, quick)


def test_a_process_that_claims_anew_what_it_had_lost_has_it_under_the_new_number_alone(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    submit_items(ground, tenant, digits_model)
    lost = claim_one(ground, lease_s=-1)
    assert expire(ground.database) == 1
    again = claim_one(ground)
    assert renew(ground.database, "node-1", [lost], 30).lost == {lost.shard_id}
    assert renew(ground.database, "node-1", [again], 30).lost == frozenset()


def test_a_restarted_worker_takes_back_what_its_predecessor_held(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    submit_items(ground, tenant, digits_model)
    first = claim_one(ground, "node-1")
    assert take_back(ground.database, "node-2") == 0
    assert take_back(ground.database, "node-1", crashed=True) == 1
    again = claim_one(ground, "node-2")
    assert (again.shard_id, again.deaths) == (first.shard_id, 1)


def test_a_shard_that_kills_twice_is_cut_in_two(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model, count=9)
    for _ in range(2):
        claim_one(ground)
        take_back(ground.database, "node-1", crashed=True)
    halves = [claim_one(ground), claim_one(ground)]
    assert [(half.first, half.count) for half in halves] == [(0, 4), (4, 5)]
    for half in halves:
        run_one(ground, half)
    assert reload(ground, job).status is JobStatus.COMPLETED
    assert sorted(indexes(ground, job)) == list(range(9))


def test_a_shard_that_failed_waits_before_it_is_tried_again(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    submit_items(ground, tenant, digits_model)
    assert fail(ground.database, claim_one(ground))
    assert claim(ground.database, Line("cpu"), "node-1", 30) is None
    with ground.database.write() as session:
        session.execute(update(Shard).values(not_before=0))
    assert claim(ground.database, Line("cpu"), "node-1", 30) is not None


def test_cancel_keeps_what_is_done_and_drops_what_waits(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model, count=250)
    run_one(ground, claim_one(ground))
    running = claim_one(ground)
    assert cancel(ground.database, tenant.tenant_id, job.id).status is JobStatus.CANCELLING
    assert claim(ground.database, Line("cpu"), "node-1", 30) is None
    assert run_one(ground, running, ItemStatus.CANCELLED)
    ended = reload(ground, job)
    assert ended.status is JobStatus.CANCELLED
    assert ended.request_counts["completed"] == 32
    assert sorted(indexes(ground, job)) == list(range(250))
    assert cancel(ground.database, tenant.tenant_id, job.id).status is JobStatus.CANCELLED


def test_a_lease_that_dies_in_a_cancelled_job_closes_it(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model)
    claim_one(ground, lease_s=-1)
    cancel(ground.database, tenant.tenant_id, job.id)
    expire(ground.database)
    assert reload(ground, job).status is JobStatus.CANCELLED
    assert indexes(ground, job) == [0]


def test_a_finished_job_cannot_be_cancelled(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model)
    run_one(ground, claim_one(ground))
    with pytest.raises(Conflict, match="completed"):
        cancel(ground.database, tenant.tenant_id, job.id)


def test_a_job_past_its_deadline_expires_and_keeps_its_results(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model, count=64, completion_window_s=-1)
    run_one(ground, claim_one(ground))
    assert expire_overdue(ground.database) == 1
    ended = reload(ground, job)
    assert ended.status is JobStatus.EXPIRED
    assert (ended.completed, ended.expired) == (32, 32)
    statuses = [row.status for _, row in read_rows(ground, ended)]
    assert statuses == [ItemStatus.SUCCEEDED] * 32 + [ItemStatus.EXPIRED] * 32


def test_pages_lose_and_repeat_nothing_while_the_job_runs(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model, count=250)
    seen: list[int] = []
    cursor = Cursor()
    while True:
        lease = claim(ground.database, Line("cpu"), "node-1", 30)
        if lease is not None:
            run_one(ground, lease)
        page = read_page(ground, reload(ground, job), cursor, limit=7)
        seen += [row.index for row in page.rows]
        cursor = page.last or cursor
        if lease is None and not page.has_more:
            break
    assert sorted(seen) == list(range(250))


def test_an_errored_item_leaves_the_others_alone_and_the_job_partial(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model, count=64)
    run_one(ground, claim_one(ground), ItemStatus.ERRORED)
    run_one(ground, claim_one(ground))
    assert reload(ground, job).outcome is Outcome.PARTIAL


def test_one_event_is_recorded_when_a_job_ends(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    webhook = {"url": "https://example.com/hook", "events": ["job.completed"]}
    submit_items(ground, tenant, digits_model, count=64, webhook=webhook)
    for _ in range(2):
        run_one(ground, claim_one(ground))
    with ground.database.read() as session:
        (delivery,) = session.scalars(select(Delivery)).all()
    assert '"type": "job.completed"' in delivery.body


def test_nothing_is_stored_of_a_job_whose_items_are_at_fault(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    twice = (Request("same", data=b"1"), Request("same", data=b"2"))
    with pytest.raises(InvalidInput, match="Line 2 repeats custom_id 'same' of line 1") as caught:
        submit_items(ground, tenant, digits_model, requests=twice)
    assert caught.value.lines[0]["line"] == 2
    with ground.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 0
    assert list(ground.storage.list("jobs")) == []


def test_a_cancelled_shard_is_never_claimed(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model, count=64)
    cancel(ground.database, tenant.tenant_id, job.id)
    assert claim(ground.database, Line("cpu"), "node-1", 30) is None
    with ground.database.read() as session:
        states = set(session.scalars(select(Shard.state)))
    assert states == {ShardState.CANCELLED}


def test_rows_that_never_ran_are_called_what_the_job_ended_as_while_they_were_read(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model, count=64, completion_window_s=-1)
    run_one(ground, claim_one(ground))
    read_before = reload(ground, job)
    expire_overdue(ground.database)
    statuses = {row.status for _, row in read_rows(ground, read_before)}
    assert statuses == {ItemStatus.SUCCEEDED, ItemStatus.EXPIRED}


def test_no_row_is_lost_where_there_are_more_shards_than_are_looked_up_at_once(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    single = second_version(ground, digits_model, shard_items=1)
    job = submit_items(ground, tenant, single, count=520)
    run_one(ground, claim_one(ground))
    cancel(ground.database, tenant.tenant_id, job.id)
    with ground.database.read() as session:
        shards = select(func.count()).select_from(Shard).where(Shard.job_id == job.id)
        assert session.scalar(shards) == 520
    assert indexes(ground, job) == list(range(520))
    in_order = [row.index for row in read_rows_by_index(ground, reload(ground, job))]
    assert in_order == list(range(520))


def test_whoever_asks_after_anothers_job_is_told_as_if_there_were_none(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    """An answer that is held as long as the job runs would tell that it is there."""
    job = submit_items(ground, tenant, digits_model)
    stranger = create_key(ground.database, "stranger")
    assert not is_over(ground.database, tenant.tenant_id, job.id)
    assert is_over(ground.database, stranger.tenant_id, job.id)


def test_items_that_failed_with_no_fault_of_their_own_are_counted_apart(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    """By them a canary is judged."""
    job = submit_items(ground, tenant, digits_model, count=3)
    tally = Tally(succeeded=1, errored=2, faults=1)
    assert commit(ground.database, claim_one(ground), "segment", tally, device_s=0.1)
    done = reload(ground, job)
    assert (done.failed, done.faults) == (2, 1)
