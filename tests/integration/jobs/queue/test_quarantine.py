"""How the item that crashes its workers is found, and that nothing else is held against it."""

import pytest

from jobs.base.bootstrap import Ground
from jobs.queue.quarantine import Suspect, is_crasher, must_run_alone
from jobs.queue.scheduling import ShardLease, claim
from jobs.queue.shard_leases import expire, take_back
from jobs.queue.turns import Line
from jobs.tables import ModelVersion
from jobs.tenants.keys import NewKey
from tests.integration.jobs.builders import claim_one, run_one, submit_items
from tests.integration.jobs.checks import check_job, shards_of


def claim_all(ground: Ground, owner: str = "node-1") -> list[ShardLease]:
    return list(iter(lambda: claim(ground.database, Line("cpu"), owner, 30), None))


@pytest.mark.parametrize(
    ("suspects", "parts"),
    [
        ([(0, 1)], [(0, 1), (1, 8)]),
        ([(8, 1)], [(0, 8), (8, 1)]),
        ([(3, 2)], [(0, 3), (3, 1), (4, 1), (5, 4)]),
        ([(2, 1), (6, 1)], [(0, 2), (2, 1), (3, 3), (6, 1), (7, 2)]),
        ([(0, 9)], [(index, 1) for index in range(9)]),
        ([(2, 2), (3, 2)], [(0, 2), (2, 1), (3, 1), (4, 1), (5, 4)]),
    ],
)
def test_each_suspect_of_a_crash_becomes_a_shard_of_its_own(
    ground: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    suspects: list[tuple[int, int]],
    parts: list[tuple[int, int]],
) -> None:
    job = submit_items(ground, tenant, digits_model, count=9)
    shard = claim_one(ground).shard_id
    named = [Suspect(shard, first, length) for first, length in suspects]
    assert take_back(ground.database, "node-1", crashed=True, suspects=named) == 1
    check_job(ground, job.id)
    leases = claim_all(ground)
    assert [(lease.first, lease.count) for lease in leases] == parts
    alone = {first + step for first, length in suspects for step in range(length)}
    assert {lease.first for lease in leases if must_run_alone(lease)} == alone
    assert not any(is_crasher(lease) for lease in leases)


def test_an_item_that_crashes_twice_is_a_crasher_and_its_neighbours_are_not(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model, count=9)
    shard = claim_one(ground).shard_id
    take_back(ground.database, "node-1", crashed=True, suspects=[Suspect(shard, 4, 1)])
    (again,) = [lease for lease in claim_all(ground) if lease.first == 4]
    named = [Suspect(again.shard_id, 4, 1)]
    take_back(ground.database, "node-1", crashed=True, suspects=named)
    crashers = [lease.first for lease in claim_all(ground) if is_crasher(lease)]
    assert crashers == [4]
    check_job(ground, job.id)


def test_a_crash_is_not_held_against_who_was_not_in_flight(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    jobs = [submit_items(ground, tenant, digits_model) for _ in range(2)]
    first, second = claim_all(ground)
    for _ in range(3):
        named = [Suspect(first.shard_id, 0, 1)]
        take_back(ground.database, "node-1", crashed=True, suspects=named)
        first, second = sorted(claim_all(ground), key=lambda lease: lease.shard_id)
    assert is_crasher(first)
    assert not is_crasher(second)
    assert not must_run_alone(second)
    for job in jobs:
        check_job(ground, job.id)


def test_a_process_that_was_killed_from_outside_makes_no_crasher_of_its_item(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    submit_items(ground, tenant, digits_model)
    for _ in range(3):
        assert not is_crasher(claim_one(ground))
        take_back(ground.database, "node-1", crashed=False)


@pytest.mark.parametrize("how", ["crashes that name nobody", "leases that run out"])
def test_without_a_name_an_item_is_found_by_halving(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, how: str
) -> None:
    job = submit_items(ground, tenant, digits_model, count=16)
    poison, ends = 11, 0
    while True:
        lease = claim_one(ground, lease_s=-1)
        if is_crasher(lease):
            break
        if lease.first <= poison < lease.first + lease.count:
            ends += 1
            assert ends < 60
            if how == "leases that run out":
                expire(ground.database)
            else:
                take_back(ground.database, "node-1", crashed=True)
        else:
            run_one(ground, lease)
        check_job(ground, job.id)
    assert (lease.first, lease.count) == (poison, 1)
    assert sum(shard.count == 1 for shard in shards_of(ground, job.id)) == 2
