"""Where a job begins among the others: who was away has saved up nothing, and owes nothing."""

from collections import Counter

import pytest
from sqlalchemy import update

from jobs.base.bootstrap import Ground
from jobs.base.storage import segment_name
from jobs.queue.commits import Tally, commit
from jobs.tables import ModelVersion, Tenant
from jobs.tenants.keys import NewKey, create_key
from tests.integration.jobs.builders import (
    LARGE,
    claim_one,
    serve,
    set_share,
    submit_items,
    tenant_share,
)
from tests.integration.jobs.checks import read_job


def test_a_small_job_of_a_newcomer_does_not_wait_behind_a_large_one(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    submit_items(ground, tenant, digits_model, count=LARGE)
    for _ in range(5):
        serve(ground, seconds=100.0)
    small = submit_items(ground, create_key(ground.database, "newcomer"), digits_model).id
    assert small in [serve(ground), serve(ground)]


def test_a_small_job_of_the_same_tenant_does_not_wait_behind_a_large_one(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    submit_items(ground, tenant, digits_model, count=LARGE)
    for _ in range(5):
        serve(ground, seconds=100.0)
    small = submit_items(ground, tenant, digits_model).id
    assert small in [serve(ground), serve(ground)]


@pytest.mark.parametrize("busy_with", ["waiting shards", "running shards"])
def test_being_idle_saves_up_nothing(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, busy_with: str
) -> None:
    idle = create_key(ground.database, "idle")
    count = LARGE if busy_with == "waiting shards" else 64
    working = submit_items(ground, tenant, digits_model, count=count)
    serve(ground, seconds=1000.0)
    running = claim_one(ground) if busy_with == "running shards" else None
    if running is not None:
        assert read_job(ground, working.id).pending_shards == 0
    submit_items(ground, idle, digits_model, count=LARGE)
    assert tenant_share(ground, idle) >= 240
    submit_items(ground, tenant, digits_model, count=LARGE)
    if running is not None:
        name = segment_name(running.job_id, running.first, running.fence)
        commit(ground.database, running, name, Tally(succeeded=running.count), device_s=1.0)
    theirs = 0
    for _ in range(20):
        lease = claim_one(ground)
        theirs += lease.tenant_id == idle.tenant_id
        name = segment_name(lease.job_id, lease.first, lease.fence)
        commit(ground.database, lease, name, Tally(succeeded=lease.count), device_s=1.0)
    assert 8 <= theirs <= 12


def test_a_newcomer_begins_beside_who_is_at_work_and_not_behind_who_once_worked_more(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    submit_items(ground, tenant, digits_model)
    serve(ground, seconds=5000.0)
    working = create_key(ground.database, "working")
    submit_items(ground, working, digits_model)
    with ground.database.write() as session:
        session.execute(update(Tenant).where(Tenant.id == working.tenant_id).values(share=100.0))
    claim_one(ground)
    newcomer = create_key(ground.database, "newcomer")
    submit_items(ground, newcomer, digits_model)
    assert tenant_share(ground, newcomer) == pytest.approx(100, abs=1)


def test_who_worked_alone_yesterday_owes_nothing_to_who_comes_today(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    submit_items(ground, tenant, digits_model)
    serve(ground, seconds=1000.0)
    today = create_key(ground.database, "today")
    submit_items(ground, today, digits_model, count=LARGE)
    mine = submit_items(ground, tenant, digits_model, count=LARGE).id
    served = Counter(serve(ground) == mine for _ in range(20))
    assert served[True] == pytest.approx(10, abs=1)


def test_who_enters_beside_a_job_whose_first_estimate_is_far_off_does_not_wait_for_it(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    newcomer = create_key(ground.database, "newcomer")
    submit_items(ground, tenant, digits_model, count=LARGE)
    leases = [claim_one(ground), claim_one(ground)]
    small = submit_items(ground, newcomer, digits_model).id
    for lease in leases:
        name = segment_name(lease.job_id, lease.first, lease.fence)
        # Estimated at half a second each.
        commit(ground.database, lease, name, Tally(succeeded=lease.count), device_s=0.01)
    assert serve(ground) == small


def test_who_comes_back_having_had_more_than_the_others_has_had_it_still(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    others = create_key(ground.database, "others")
    submit_items(ground, others, digits_model, count=LARGE)
    set_share(ground, Tenant, others.tenant_id, 100.0)
    set_share(ground, Tenant, tenant.tenant_id, 500.0)
    submit_items(ground, tenant, digits_model)
    assert tenant_share(ground, tenant) == pytest.approx(500.0)
