"""What a caller is told of a job that is not over: its place in the queue, and its time."""

import pytest
from sqlalchemy import update

from jobs.base.bootstrap import Ground
from jobs.presence.workers import announce, drain, leave, resume
from jobs.queue.forecast import forecast
from jobs.tables import Job, ModelVersion, Tenant
from jobs.tenants.keys import NewKey, create_key
from tests.integration.jobs.builders import claim_one, serve, set_share, submit_items


def test_the_queue_position_counts_who_is_served_before(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    first = submit_items(ground, tenant, digits_model, count=64)
    serve(ground)
    second = submit_items(ground, create_key(ground.database, "other"), digits_model)
    with ground.database.write() as session:
        session.execute(
            update(Tenant).where(Tenant.id == tenant.tenant_id).values(share=Tenant.share + 1)
        )
    with ground.database.read() as session:
        positions = {
            job.id: forecast(session, session.get_one(Job, job.id)).position
            for job in (first, second)
        }
    assert positions == {first.id: 1, second.id: 0}
    serve(ground)
    with ground.database.read() as session:
        assert forecast(session, session.get_one(Job, second.id)).position is None


@pytest.fixture
def worker(ground: Ground) -> str:
    """A process of the pool that lives, and is told of by its name."""
    announce(ground.database, "host-1/cpu0", "cpu", "1")
    return "host-1/cpu0"


def eta_s(ground: Ground, job: Job) -> float | None:
    with ground.database.read() as session:
        return forecast(session, session.get_one(Job, job.id)).eta_s


def test_a_job_that_has_not_begun_is_told_the_pace_of_others_and_its_part_of_the_pool(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, worker: str
) -> None:
    first = submit_items(ground, tenant, digits_model, count=30)
    assert eta_s(ground, first) is None, "nothing has ever run"
    serve(ground, seconds=60)
    alone = submit_items(ground, tenant, digits_model, count=10)
    assert eta_s(ground, alone) == pytest.approx(20), "2 s an item"
    submit_items(ground, tenant, digits_model, count=10, priority="high")
    assert eta_s(ground, alone) == pytest.approx(100), "4 of 20 parts"
    heavy = create_key(ground.database, "heavy", weight=3.0)
    submit_items(ground, heavy, digits_model, count=10)
    assert eta_s(ground, alone) == pytest.approx(400), "and 1 of 4"
    busy = create_key(ground.database, "busy")
    submit_items(ground, busy, digits_model, count=64)
    set_share(ground, Tenant, busy.tenant_id, -100.0)
    for node in ("node-1", "node-2"):
        claim_one(ground, owner=node)
    assert eta_s(ground, alone) == pytest.approx(200), "two workers are at it"


def test_a_running_job_is_told_its_own_pace(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, worker: str
) -> None:
    job = submit_items(ground, tenant, digits_model, count=64)
    serve(ground)
    with ground.database.write() as session:
        session.execute(update(Job).values(in_progress_at=ground.database.now() - 16))
    assert eta_s(ground, job) == pytest.approx(16, abs=2)


def test_what_waits_is_promised_no_time_while_nobody_takes_it(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, worker: str
) -> None:
    job = submit_items(ground, tenant, digits_model, count=640)
    serve(ground)
    assert eta_s(ground, job) is not None
    with ground.database.write() as session:
        drain(session, worker)
    assert eta_s(ground, job) is None, "its pool is drained"
    with ground.database.write() as session:
        resume(session, worker)
    assert eta_s(ground, job) is not None
    announce(ground.database, "host-2/gpu0", "gpu", "1")
    leave(ground.database, worker)
    assert eta_s(ground, job) is None, "nobody of its own pool lives"
