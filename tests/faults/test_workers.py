"""Inference workers that are killed, stopped past their lease, or wrong about the time."""

import signal
import time

import pytest

from tests.faults.conftest import Report
from tests.faults.rig.houses import LEASE_S, House
from tests.faults.rig.oracle import check


@pytest.mark.pick
def test_workers_killed_every_few_seconds_through_a_job(
    house: House, choose, report: Report
) -> None:
    items = 3000
    job, expected = house.submit(items)
    recoveries = []
    for share in sorted(choose.uniform(0.0, 0.8) for _ in range(3)):
        house.await_share(job, share, items)
        victim = choose.choice(("worker-0", "worker-1"))
        time.sleep(choose.uniform(0, 0.4))
        held = house.leased(job, victim.replace("worker-", "cpu"))
        pid = house.kill(victim)
        if held:
            recoveries.append(house.await_takeover(held))
        house.await_successor(victim, pid)
    check(house, job, expected)
    report("SIGKILL of an inference worker, three times in a job", items, max(recoveries or [0.0]))


@pytest.mark.pick
def test_a_worker_stopped_past_its_lease_cannot_commit_what_another_has_taken_over(
    house: House, choose, report: Report
) -> None:
    items = 1600
    job, expected = house.submit(items)
    house.await_share(job, choose.uniform(0.05, 0.4), items)
    time.sleep(choose.uniform(0, 0.4))
    house.signal("worker-0", signal.SIGSTOP)
    try:
        held = house.leased(job, "cpu0")
        seconds = house.await_takeover(held, LEASE_S + 20)
        time.sleep(choose.uniform(0, 0.5))
    finally:
        house.signal("worker-0", signal.SIGCONT)
    check(house, job, expected)
    report("SIGSTOP of a worker past its lease, then SIGCONT", items, seconds)
