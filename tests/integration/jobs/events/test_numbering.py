"""What happens to a tenant's jobs stands in one order without gaps, whoever commits first."""

import threading

import pytest

from jobs.aftercare.deletion import delete_job
from jobs.base.bootstrap import Ground
from jobs.base.states import ItemStatus, JobStatus
from jobs.events.glimpses import in_order, last_number, look
from jobs.queue.completion import cancel, close, end_early
from jobs.tables import Job, ModelVersion
from jobs.tenants.keys import NewKey, create_key
from tests.integration.jobs.builders import claim_one, run_one, submit_items


def seen(ground: Ground, tenant: NewKey, after: int = 0) -> list[tuple[int, str, str]]:
    """Give what happened after a number: the number, what, and to which job."""
    with ground.database.read() as session:
        glimpses = look(session, {tenant.tenant_id: after})
    return [(event.number, event.moment.value, job.id) for event, job in in_order(glimpses, after)]


def number_of(ground: Ground, tenant: NewKey) -> int:
    with ground.database.read() as session:
        return last_number(session, tenant.tenant_id)


def test_a_job_is_created_begins_ends_and_is_deleted(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    one = submit_items(ground, tenant, digits_model).id
    run_one(ground, claim_one(ground))
    delete_job(ground, tenant.tenant_id, one)
    assert seen(ground, tenant) == [
        (1, "created", one),
        (2, "begun", one),
        (3, "ended", one),
        (4, "deleted", one),
    ]
    assert seen(ground, tenant, after=2) == [(3, "ended", one), (4, "deleted", one)]
    assert number_of(ground, tenant) == 4


def test_each_tenant_has_numbers_of_its_own(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    other = create_key(ground.database, "other")
    mine = submit_items(ground, tenant, digits_model).id
    theirs = submit_items(ground, other, digits_model).id
    assert seen(ground, tenant) == [(1, "created", mine), (2, "begun", mine)]
    assert seen(ground, other) == [(1, "created", theirs), (2, "begun", theirs)]
    with ground.database.read() as session:
        found = look(session, {tenant.tenant_id: 1, other.tenant_id: 2})
    assert [each.id for each in found] == [mine]


def test_cancelling_twice_is_one_event(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model).id
    cancel(ground.database, tenant.tenant_id, job)
    cancel(ground.database, tenant.tenant_id, job)
    delete_job(ground, tenant.tenant_id, job)
    delete_job(ground, tenant.tenant_id, job)
    assert [what for _, what, _ in seen(ground, tenant)] == ["created", "begun", "ended", "deleted"]


def test_what_a_transaction_takes_back_leaves_no_gap(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model).id
    with pytest.raises(RuntimeError), ground.database.write() as session:  # noqa: PT012
        cancelled = session.get_one(Job, job)
        close(session, cancelled, JobStatus.EXPIRED)
        raise RuntimeError
    assert number_of(ground, tenant) == 2
    cancel(ground.database, tenant.tenant_id, job)
    assert seen(ground, tenant, after=2) == [(3, "ended", job)]


def test_no_number_is_seen_before_a_lower_one(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    """One transaction that stands still between its number and its end holds up those behind it."""
    if ground.database.is_sqlite:
        pytest.skip("SQLite lets one transaction write at a time")
    slow, quick = (submit_items(ground, tenant, digits_model).id for _ in range(2))
    after = number_of(ground, tenant)
    is_held, may_end = threading.Event(), threading.Event()

    def end_slowly() -> None:
        with ground.database.write() as session:
            end_early(session, slow, ItemStatus.CANCELLED)
            is_held.set()
            may_end.wait(4)

    first = threading.Thread(target=end_slowly)
    first.start()
    assert is_held.wait(10)
    second = threading.Thread(target=cancel, args=(ground.database, tenant.tenant_id, quick))
    second.start()
    second.join(0.5)
    assert second.is_alive()
    assert seen(ground, tenant, after) == []
    may_end.set()
    first.join()
    second.join()
    assert seen(ground, tenant, after) == [(after + 1, "ended", slow), (after + 2, "ended", quick)]


def test_many_who_submit_and_end_at_once_lose_no_number(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    """A follower who looks meanwhile sees each number once, in order, with none left out."""
    is_over = threading.Event()
    followed: list[int] = []

    def follow() -> None:
        while True:
            was_over = is_over.is_set()
            after = followed[-1] if followed else 0
            followed.extend(number for number, _, _ in seen(ground, tenant, after))
            if was_over:
                return

    def work() -> None:
        for _ in range(8):
            job = submit_items(ground, tenant, digits_model).id
            cancel(ground.database, tenant.tenant_id, job)

    follower = threading.Thread(target=follow)
    workers = [threading.Thread(target=work) for _ in range(4)]
    for thread in (follower, *workers):
        thread.start()
    for worker in workers:
        worker.join()
    is_over.set()
    follower.join()
    assert followed == list(range(1, 4 * 8 * 3 + 1))
