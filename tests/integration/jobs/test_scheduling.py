"""Fair shares: between tenants by weight, between jobs by priority, and nobody starves."""

from collections import Counter

import pytest
from sqlalchemy import update

from jobs.bootstrap import Ground
from jobs.commits import Tally, commit
from jobs.errors import InvalidRequest
from jobs.forecast import forecast
from jobs.leases import expire, fail, hand_back, take_back
from jobs.scheduling import claim, has_work, time_used
from jobs.storage import segment_name
from jobs.tables import Job, ModelVersion, Shard, Tenant
from jobs.tenants import NewKey, create_key
from jobs.turns import SHARD_S
from jobs.versions import register
from tests.integration.jobs.builders import claim_one, submit_items
from tests.integration.jobs.checks import check_job, read_job

# Shards of a job of 3200 items: 32 of 100 each.
LARGE = 3200


def serve(ground: Ground, seconds: float = 1.0) -> str:
    """Claim the next shard and commit it as having used so much of the device; gives its job."""
    lease = claim_one(ground)
    name = segment_name(lease.job_id, lease.first, lease.attempt)
    tally = Tally(succeeded=lease.count)
    assert commit(ground.database, lease, name, tally, device_s=seconds)
    return lease.job_id


def tenant_share(ground: Ground, tenant: NewKey) -> float:
    with ground.database.read() as session:
        return session.get_one(Tenant, tenant.tenant_id).share


def test_tenants_share_the_device_by_weight_within_ten_percent(
    ground: Ground, digits_model: ModelVersion
) -> None:
    light = create_key(ground.database, "light")
    heavy = create_key(ground.database, "heavy", weight=3.0)
    ours = {
        submit_items(ground, tenant, digits_model, count=LARGE, pool="cpu").id: tenant
        for tenant in (light, heavy)
    }
    # The device needs twice as long for a shard of the heavy tenant: time counts, not shards.
    used = Counter[str]()
    for _ in range(40):
        lease = claim_one(ground)
        tenant = ours[lease.job_id]
        seconds = 2.0 if tenant is heavy else 1.0
        name = segment_name(lease.job_id, lease.first, lease.attempt)
        commit(ground.database, lease, name, Tally(succeeded=lease.count), device_s=seconds)
        used[tenant.tenant_id] += seconds
    ratio = used[heavy.tenant_id] / used[light.tenant_id]
    assert ratio == pytest.approx(3.0, rel=0.1)


def test_a_high_priority_gets_four_times_as_much_and_the_low_one_does_not_starve(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    jobs = {
        submit_items(ground, tenant, digits_model, count=LARGE, priority=priority).id: priority
        for priority in ("low", "normal", "high")
    }
    served = Counter(jobs[serve(ground)] for _ in range(42))
    assert served["high"] == pytest.approx(32, abs=1)
    assert served["normal"] == pytest.approx(8, abs=1)
    assert served["low"] == pytest.approx(2, abs=1)


def test_nobody_gains_on_another_tenant_by_calling_everything_urgent(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    loud = create_key(ground.database, "loud")
    modest = submit_items(ground, tenant, digits_model, count=LARGE, priority="low").id
    submit_items(ground, loud, digits_model, count=LARGE, priority="high")
    served = Counter(serve(ground) == modest for _ in range(20))
    assert served[True] == pytest.approx(10, abs=1)


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
        name = segment_name(running.job_id, running.first, running.attempt)
        commit(ground.database, running, name, Tally(succeeded=running.count), device_s=1.0)
    theirs = 0
    for _ in range(20):
        lease = claim_one(ground)
        theirs += lease.tenant_id == idle.tenant_id
        name = segment_name(lease.job_id, lease.first, lease.attempt)
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


def test_a_claim_is_charged_at_once_and_put_right_by_the_commit(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model, count=64)
    lease = claim_one(ground)
    assert tenant_share(ground, tenant) == pytest.approx(lease.charged_s)
    name = segment_name(lease.job_id, lease.first, lease.attempt)
    commit(ground.database, lease, name, Tally(succeeded=lease.count), device_s=4.0)
    assert tenant_share(ground, tenant) == pytest.approx(4.0)
    assert read_job(ground, job.id).share == pytest.approx(4.0 / 4)
    # The next estimate is what was measured: an eighth of a second an item.
    assert claim_one(ground).charged_s == pytest.approx(4.0)


def test_what_is_handed_back_is_not_charged(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model, count=64)
    before = read_job(ground, job.id).share, tenant_share(ground, tenant)
    assert hand_back(ground.database, claim_one(ground))
    after = read_job(ground, job.id).share, tenant_share(ground, tenant)
    assert after == pytest.approx(before)


def test_shards_of_one_job_run_from_its_beginning_to_its_end(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    submit_items(ground, tenant, digits_model, count=LARGE)
    firsts = [claim_one(ground).first for _ in range(10)]
    assert firsts == sorted(firsts)


def test_a_claim_finds_only_work_of_its_own_pool(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    submit_items(ground, tenant, digits_model, pool="gpu")
    assert not has_work(ground.database, "cpu")
    assert claim(ground.database, "cpu", "node", 30) is None
    assert has_work(ground.database, "gpu")
    assert claim(ground.database, "gpu", "node", 30) is not None
    assert not has_work(ground.database, "gpu")


def test_a_job_whose_shards_wait_out_a_pause_does_not_keep_others_waiting(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    pausing = [submit_items(ground, tenant, digits_model).id for _ in range(3)]
    with ground.database.write() as session:
        session.execute(update(Shard).values(not_before=4e9))
    ready = submit_items(ground, tenant, digits_model).id
    assert claim_one(ground).job_id == ready
    assert claim(ground.database, "cpu", "node", 30) is None
    for job_id in pausing:
        check_job(ground, job_id)


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


def eta_s(ground: Ground, job: Job) -> float | None:
    with ground.database.read() as session:
        return forecast(session, session.get_one(Job, job.id)).eta_s


def test_a_job_that_has_not_begun_is_told_the_pace_of_others_and_its_part_of_the_pool(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
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
    share_of(ground, Tenant, busy.tenant_id, -100.0)
    for node in ("node-1", "node-2"):
        claim_one(ground, owner=node)
    assert eta_s(ground, alone) == pytest.approx(200), "two workers are at it"


def test_a_running_job_is_told_its_own_pace(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model, count=64)
    serve(ground)
    with ground.database.write() as session:
        session.execute(update(Job).values(in_progress_at=ground.database.now() - 16))
    assert eta_s(ground, job) == pytest.approx(16, abs=2)


def other_model(ground: Ground, model: ModelVersion) -> ModelVersion:
    record = model.record | {"name": "other"}
    return register(ground.database, ground.storage, "other", record, b"w", "sha256:11")


def share_of(ground: Ground, table: type, row_id: str, share: float) -> None:
    with ground.database.write() as session:
        session.execute(update(table).where(table.id == row_id).values(share=share))


def claim_holding(ground: Ground, *held: str) -> str:
    """Claim as a worker that holds some models; gives the model that it is to run."""
    lease = claim(ground.database, "cpu", "node-1", 30, held)
    assert lease is not None
    hand_back(ground.database, lease)
    return lease.model


@pytest.mark.parametrize("owners", ["one tenant", "two tenants"])
def test_a_worker_prefers_a_model_that_it_holds_while_shares_differ_by_less_than_a_shard(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, owners: str
) -> None:
    another = tenant if owners == "one tenant" else create_key(ground.database, "another")
    first = submit_items(ground, tenant, digits_model)
    second = submit_items(ground, another, other_model(ground, digits_model))

    def differ(seconds: float) -> None:
        if owners == "one tenant":
            share_of(ground, Job, first.id, 10)
            # A normal job has four parts in its tenant's time.
            share_of(ground, Job, second.id, 10 + seconds / 4)
        else:
            share_of(ground, Tenant, tenant.tenant_id, 10)
            share_of(ground, Tenant, another.tenant_id, 10 + seconds)

    differ(SHARD_S * 0.9)
    assert claim_holding(ground) == "digits@1", "the fairest"
    assert claim_holding(ground, "other@1") == "other@1"
    assert claim_holding(ground, "digits@1", "other@1") == "digits@1"
    assert claim_holding(ground, "third@1") == "digits@1"
    differ(SHARD_S * 1.1)
    assert claim_holding(ground, "other@1") == "digits@1", "fairness comes first"


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_a_weight_that_would_stop_every_claim_is_refused(ground: Ground, weight: float) -> None:
    with pytest.raises(InvalidRequest, match="weight"):
        create_key(ground.database, "odd", weight=weight)


def test_who_enters_beside_a_job_whose_first_estimate_is_far_off_does_not_wait_for_it(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    newcomer = create_key(ground.database, "newcomer")
    submit_items(ground, tenant, digits_model, count=LARGE)
    leases = [claim_one(ground), claim_one(ground)]
    small = submit_items(ground, newcomer, digits_model).id
    for lease in leases:
        name = segment_name(lease.job_id, lease.first, lease.attempt)
        # Estimated at half a second each.
        commit(ground.database, lease, name, Tally(succeeded=lease.count), device_s=0.01)
    assert serve(ground) == small


@pytest.mark.parametrize("end", ["hand_back", "fail", "take_back", "expire"])
def test_a_lease_that_ends_without_a_commit_gives_back_what_it_was_charged(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, end: str
) -> None:
    job = submit_items(ground, tenant, digits_model, count=64)
    before = tenant_share(ground, tenant), read_job(ground, job.id).share
    lease = claim_one(ground, lease_s=-1 if end == "expire" else 30)
    assert tenant_share(ground, tenant) == pytest.approx(before[0] + lease.charged_s)
    ends = {
        "hand_back": lambda: hand_back(ground.database, lease),
        "fail": lambda: fail(ground.database, lease),
        "take_back": lambda: take_back(ground.database, lease.owner, crashed=True),
        "expire": lambda: expire(ground.database),
    }
    assert ends[end]()
    after = tenant_share(ground, tenant), read_job(ground, job.id).share
    assert after == pytest.approx(before)


def test_a_first_estimate_is_no_more_than_a_shard_is_cut_to_take(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    record = digits_model.record | {"name": "quick", "shard_items": 6000}
    quick = register(ground.database, ground.storage, "quick", record, b"w", "sha256:22")
    job = submit_items(ground, tenant, quick, count=48_000)
    assert claim_one(ground).charged_s == SHARD_S
    with ground.database.write() as session:
        session.execute(update(Job).where(Job.id == job.id).values(completed=100, device_s=1.0))
    assert claim_one(ground).charged_s == pytest.approx(60), "measured, not guessed"


def test_the_place_for_short_shards_serves_whose_turn_it_is_or_nobody(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    owner_of_little = create_key(ground.database, "little")
    submit_items(ground, tenant, digits_model, count=LARGE)
    with ground.database.write() as session:
        # A second an item: none of its shards is short.
        session.execute(update(Job).values(completed=1, device_s=1.0))
    small = submit_items(ground, owner_of_little, digits_model, count=10).id

    def claim_short() -> str | None:
        lease = claim(ground.database, "cpu", "node-1", 30, only_short=True)
        if lease is not None:
            hand_back(ground.database, lease)
        return lease and lease.job_id

    share_of(ground, Tenant, tenant.tenant_id, 100)
    assert claim_short() == small
    share_of(ground, Tenant, owner_of_little.tenant_id, 200)
    assert claim_short() is None, "it is not their turn"
    assert claim_one(ground).job_id != small


def test_items_that_never_reach_the_device_are_not_for_nothing(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    other = create_key(ground.database, "other")
    idle = submit_items(ground, tenant, digits_model, count=LARGE).id
    for _ in range(2):
        assert serve(ground, seconds=0.0) == idle
    submit_items(ground, other, digits_model, count=LARGE)
    with ground.database.write() as session:
        # Both have had the same so far.
        session.execute(update(Tenant).values(share=1.0))
    served = Counter(serve(ground, seconds=0.0) == idle for _ in range(20))
    assert served[True] == pytest.approx(10, abs=1)


def test_a_place_that_is_kept_busy_without_the_device_counts_too() -> None:
    assert time_used(device_s=2.0, held_s=6.0, items=100) == 2.0
    assert time_used(device_s=0.0, held_s=60.0, items=100) == pytest.approx(6.0)
    assert time_used(device_s=0.0, held_s=0.0, items=100) == pytest.approx(0.01)


def test_a_held_model_does_not_jump_another_tenants_own_queue(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    another = create_key(ground.database, "another")
    third = digits_model.record | {"name": "third"}
    third_model = register(ground.database, ground.storage, "third", third, b"w", "sha256:33")
    submit_items(ground, tenant, digits_model)
    submit_items(ground, another, third_model)
    late = submit_items(ground, another, other_model(ground, digits_model))
    share_of(ground, Tenant, another.tenant_id, 0.1)
    share_of(ground, Job, late.id, 0.1)
    assert claim_holding(ground, "other@1") == "other@1"
    share_of(ground, Job, late.id, 100.0)
    assert claim_holding(ground, "other@1") == "digits@1"
