"""An item that kills, starves or hangs its worker costs itself and nothing else."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.conftest import Report
from tests.faults.rig.houses import House, open_house
from tests.faults.rig.oracle import check
from tests.faults.rig.pictures import deadly_picture, marked_picture
from tests.receivers import Receiver

ITEMS = 256


@pytest.fixture(scope="module")
def house(receiver: Receiver) -> Iterator[House]:
    """A house whose leases outlast a worker's start, on a machine that is busy too.

    Only a worker's next process knows which items were in flight: it has to come before the lease
    is over, as it does with the thirty seconds that are the default.
    """
    with open_house(receiver, PIXELMILL_LEASE_S="20", PIXELMILL_RENEW_S="5") as opened:
        yield opened


def test_an_item_that_ends_its_process_is_errored_alone(
    house: House, seed: int, choose, report: Report
) -> None:
    number = (1, 3)[seed % 2]
    poison = poisoned(choose, number, marked_picture())
    mark, started = house.mark(), time.monotonic()
    job, expected = house.submit(ITEMS, model="crashing", poison=poison)
    check(house, job, expected, timeout_s=240)
    deaths = house.log_since(mark).count("worker_died")
    print(f"\n{deaths} deaths for {number} in {ITEMS}, {time.monotonic() - started:.0f} s")
    assert number <= deaths <= 3 * number
    report("an item that makes its network segfault", ITEMS, None)


def test_an_item_that_ends_its_decoder_is_errored_alone_and_no_worker_dies(
    house: House, choose, report: Report
) -> None:
    poison = poisoned(choose, 3, deadly_picture(), "decoder_crashed")
    mark = house.mark()
    job, expected = house.submit(ITEMS, model="paced", poison=poison)
    check(house, job, expected, timeout_s=240)
    assert "worker_died" not in house.log_since(mark)
    report("an item that makes its decoder abort", ITEMS, None)


def test_a_network_that_runs_out_of_memory_finds_its_batch(
    house: House, choose, report: Report
) -> None:
    mark = house.mark()
    job, expected = house.submit(ITEMS, model="hungry")
    check(house, job, expected)
    log = house.log_since(mark)
    assert "batch_halved" in log
    assert "worker_died" not in log
    report("out of memory on more than four items", ITEMS, None)


def test_an_item_that_hangs_is_given_up(house: House, choose, report: Report) -> None:
    mark = house.mark()
    poison = poisoned(choose, 1, marked_picture())
    job, expected = house.submit(ITEMS, model="hanging", poison=poison)
    check(house, job, expected, timeout_s=240)
    log = house.log_since(mark)
    assert "process_stalled" in log
    assert 1 <= log.count("worker_died") <= 3
    report("an item that never comes back from its network", ITEMS, None)


def poisoned(
    choose: Any, number: int, picture: bytes, code: str = "worker_crashed"
) -> dict[int, tuple[bytes, str]]:
    """Put the picture at some random places; `code` is what each must end with."""
    return dict.fromkeys(choose.sample(range(ITEMS), number), (picture, code))
