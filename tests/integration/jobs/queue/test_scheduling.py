"""Fair shares: between tenants by weight, between jobs by priority, and nobody starves."""

from collections import Counter

import pytest
from sqlalchemy import update

from jobs.base.bootstrap import Ground
from jobs.base.errors import InvalidRequest
from jobs.base.storage import segment_name
from jobs.queue.commits import Tally, commit
from jobs.queue.scheduling import claim, has_work, time_used
from jobs.queue.shard_leases import expire, fail, hand_back, take_back
from jobs.queue.turns import SHARD_S, Line
from jobs.tables import Job, ModelVersion, Shard, Tenant
from jobs.tenants.keys import NewKey, create_key
from jobs.versions.registry import register
from tests.integration.jobs.builders import (
    LARGE,
    claim_one,
    serve,
    set_share,
    submit_items,
    tenant_share,
)
from tests.integration.jobs.checks import check_job, read_job


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
        name = segment_name(lease.job_id, lease.first, lease.fence)
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


def test_a_claim_is_charged_at_once_and_put_right_by_the_commit(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model, count=64)
    lease = claim_one(ground)
    assert tenant_share(ground, tenant) == pytest.approx(lease.charged_s)
    name = segment_name(lease.job_id, lease.first, lease.fence)
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
    assert claim(ground.database, Line("cpu"), "node", 30) is None
    assert has_work(ground.database, "gpu")
    assert claim(ground.database, Line("gpu"), "node", 30) is not None
    assert not has_work(ground.database, "gpu")


def test_a_job_whose_shards_wait_out_a_pause_does_not_keep_others_waiting(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    pausing = [submit_items(ground, tenant, digits_model).id for _ in range(3)]
    with ground.database.write() as session:
        session.execute(update(Shard).values(not_before=4e9))
    ready = submit_items(ground, tenant, digits_model).id
    assert claim_one(ground).job_id == ready
    assert claim(ground.database, Line("cpu"), "node", 30) is None
    for job_id in pausing:
        check_job(ground, job_id)


def other_model(ground: Ground, model: ModelVersion) -> ModelVersion:
    record = model.record | {"name": "other"}
    return register(ground.database, ground.storage, "other", record, b"w", "sha256:11")


def claim_holding(ground: Ground, *held: str) -> str:
    """Claim as a worker that holds some models; gives the model that it is to run."""
    lease = claim(ground.database, Line("cpu"), "node-1", 30, held)
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
            set_share(ground, Job, first.id, 10)
            # A normal job has four parts in its tenant's time.
            set_share(ground, Job, second.id, 10 + seconds / 4)
        else:
            set_share(ground, Tenant, tenant.tenant_id, 10)
            set_share(ground, Tenant, another.tenant_id, 10 + seconds)

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
        lease = claim(ground.database, Line("cpu"), "node-1", 30, only_short=True)
        if lease is not None:
            hand_back(ground.database, lease)
        return lease and lease.job_id

    set_share(ground, Tenant, tenant.tenant_id, 100)
    assert claim_short() == small
    set_share(ground, Tenant, owner_of_little.tenant_id, 200)
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
    set_share(ground, Tenant, another.tenant_id, 0.1)
    set_share(ground, Job, late.id, 0.1)
    assert claim_holding(ground, "other@1") == "other@1"
    set_share(ground, Job, late.id, 100.0)
    assert claim_holding(ground, "other@1") == "digits@1"


def test_tenants_that_are_passed_over_do_not_stand_in_line(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    submit_items(ground, tenant, digits_model, count=LARGE)
    others = [create_key(ground.database, f"other {number}") for number in range(10)]
    for other in others:
        submit_items(ground, other, digits_model, count=LARGE)
        set_share(ground, Tenant, other.tenant_id, 1.0)
    set_share(ground, Tenant, tenant.tenant_id, 50.0)
    served = frozenset(other.tenant_id for other in others)
    lease = claim(ground.database, Line("cpu", passed_over=served), "node", 30)
    assert lease is not None
    assert lease.tenant_id == tenant.tenant_id
    everyone = served | {tenant.tenant_id}
    assert claim(ground.database, Line("cpu", passed_over=everyone), "node", 30) is None
