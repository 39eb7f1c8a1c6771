"""A machine that loses its network in the middle of a job, and comes back with late results."""

import random
import time
from collections.abc import Iterator

import pytest

from jobs.base.states import ShardState
from jobs.tables import Job as JobRow
from pixelmill import Job
from tests.e2e.stacks import wait_for
from tests.faults.conftest import Report
from tests.faults.rig.houses import LEASE_S
from tests.faults.rig.machines import Machines, two_machines
from tests.faults.rig.oracle import check
from tests.receivers import Receiver

# A lease that has just been renewed, and then a round of the sweeper and a claim.
TAKEN_OVER_S = LEASE_S + 10
BACK_S = 40


@pytest.fixture(scope="module")
def machines(receiver: Receiver) -> Iterator[Machines]:
    with two_machines(receiver) as running:
        yield running


def test_a_machine_cut_off_past_its_lease_and_joined_again(
    machines: Machines, choose: random.Random, report: Report
) -> None:
    house, items = machines.house, 2000
    cut = choose.choice((machines.alpha, machines.beta))
    job, expected = house.submit(items)
    house.await_share(job, choose.uniform(0.05, 0.3), items)
    time.sleep(choose.uniform(0, 0.4))
    wait_for(lambda: house.leased(job, cut.node), 20, f"work for {cut.name}")
    assert cut.reaches_hub()
    cut.cut()
    try:
        held = house.leased(job, cut.node)
        seconds = house.await_takeover(held, 60)
        time.sleep(choose.uniform(0, 3))
        assert not house.leased(job, cut.node)
        assert not cut.reaches_hub()
    finally:
        cut.rejoin()
    wait_for(cut.reaches_hub, 10, f"{cut.name} to be back")
    check(house, job, expected)
    attempts = {shard.id: shard.fence for shard in held}
    taken = [shard for shard in house.shards(job) if shard.id in attempts]
    # A commit that the server had heard already counts, though its worker was cut off.
    assert all(
        shard.fence > attempts[shard.id] or shard.state is ShardState.DONE for shard in taken
    )
    await_both_at_work(machines)
    hold_that_late_segments_go(machines, job)
    assert seconds <= TAKEN_OVER_S
    report("a machine's network cut past its lease, then joined", items, seconds)


def await_both_at_work(machines: Machines) -> None:
    """Hold that both machines take shards again."""
    house, missing = machines.house, {machines.alpha.node, machines.beta.node}
    deadline = time.monotonic() + BACK_S
    while missing and time.monotonic() < deadline:
        job, expected = house.submit(600)
        while house.finished(job) < len(expected):
            owners = [shard.owner or "" for shard in house.leased(job)]
            missing = {node for node in missing if not any(node in owner for owner in owners)}
            time.sleep(0.02)
        check(house, job, expected)
    assert not missing, machines.log_of(machines.alpha)[-3000:]


def hold_that_late_segments_go(machines: Machines, job: Job) -> None:
    """Hold that what came too late has been deleted, or is marked to be."""
    house = machines.house
    written = set(house.ground.storage.list(f"jobs/{job.id}/segments/"))
    late = written - {shard.segment for shard in house.shards(job)}
    with house.ground.database.read() as session:
        assert not late or session.get_one(JobRow, job.id).tidy_at is not None
