"""URLs of slow servers keep no others of their shard waiting: they are set aside until its end."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from jobs.base.bootstrap import Ground
from jobs.base.states import ItemStatus
from jobs.inputs.requests import Request
from jobs.tables import Job, ModelVersion
from jobs.tenants.keys import NewKey
from models.records.record import Limits
from tests.integration.jobs.builders import claim_one, submit_items
from tests.integration.workers.fakes import (
    FakeNetwork,
    answers_of,
    manifest_of,
    numbers,
    rows_of_job,
)
from workers.egress import GivenUp
from workers.engine.reading.budget import FetchBudget
from workers.engine.reading.fetching import FETCHES, MOST_ASIDE
from workers.engine.shard import ShardRun
from workers.engine.stages import Stages

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ITEMS = 32
# The most bytes that an item has.
LARGEST = 2


class Stranger:
    """Gives `/12` as 12: of the slow ones once so many URLs were asked for, and not before."""

    def __init__(self, *slow: int, until: int = ITEMS) -> None:
        self.slow, self.until = slow, until
        self.asked: Counter[int] = Counter()
        self.all_asked = threading.Event()
        self.reached = lambda: None
        self._lock = threading.Lock()

    def get(self, url: str, max_bytes: int, stopped: threading.Event, *_: object) -> bytes:
        number = int(url.rpartition("/")[2])
        with self._lock:
            self.asked[number] += 1
            if self.asked.total() == self.until:
                self.reached()
                self.all_asked.set()
        while number in self.slow and not self.all_asked.wait(0.05):
            if stopped.is_set():
                raise GivenUp
        return str(number).encode()


@pytest.fixture
def run_urls(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: Callable[..., Stages]
) -> Callable[..., tuple[Job, ShardRun]]:
    """Give what runs a shard of URLs, with memory for so many files."""
    network = FakeNetwork()
    network.record = replace(network.record, limits=Limits(max_bytes=LARGEST))

    def run(outside: Stranger, files: int = 1000, *, stops: bool = False) -> tuple[Job, ShardRun]:
        requests = tuple(
            # Of two hosts: one alone has no more requests than may be aside.
            Request(f"n{number}", url=f"https://{number % 2}.example.com/{number}")
            for number in range(ITEMS)
        )
        job = submit_items(ground, tenant, digits_model, requests=requests)
        stages = new_stages(ground, outside=outside, budget=FetchBudget(files * LARGEST))
        shard = ShardRun(stages, claim_one(ground))
        if stops:
            outside.reached = lambda: shard.stop(ItemStatus.CANCELLED)
        in_vain = threading.Timer(30, shard.stop, ["lost"])
        in_vain.start()
        try:
            assert shard.run(network, manifest_of(ground, shard.lease)), "it waited in vain"
        finally:
            in_vain.cancel()
            shard.close()
        return job, shard

    return run


# The slow ones of a chunk, all of one, and one in each.
@pytest.mark.parametrize("slow", [(1, 2, 5), range(FETCHES), (0, 8, 16, 24)])
def test_slow_servers_keep_no_others_waiting(
    ground: Ground, run_urls: Callable[..., tuple[Job, ShardRun]], slow: tuple[int, ...]
) -> None:
    stranger = Stranger(*slow)
    job, _ = run_urls(stranger)
    assert answers_of(ground, job) == numbers(ITEMS)
    assert set(stranger.asked.values()) == {1}


def test_more_than_may_be_set_aside_are_waited_for(
    ground: Ground, run_urls: Callable[..., tuple[Job, ShardRun]]
) -> None:
    stranger = Stranger(*range(MOST_ASIDE + FETCHES), until=MOST_ASIDE + FETCHES)
    job, _ = run_urls(stranger)
    assert answers_of(ground, job) == numbers(ITEMS)
    assert set(stranger.asked.values()) == {1}


@pytest.mark.parametrize("files", [2, 3, 4])
def test_what_is_set_aside_keeps_no_others_from_their_memory(
    ground: Ground, run_urls: Callable[..., tuple[Job, ShardRun]], files: int
) -> None:
    # Those that have no room are set aside too, in line behind the slow ones.
    stranger = Stranger(1, 2, 5, until=ITEMS - FETCHES)
    job, _ = run_urls(stranger, files)
    assert answers_of(ground, job) == numbers(ITEMS)
    assert set(stranger.asked.values()) == {1}


def test_what_is_aside_when_its_job_is_cancelled_is_cancelled(
    ground: Ground, run_urls: Callable[..., tuple[Job, ShardRun]]
) -> None:
    slow = (1, 2, 5)
    job, _ = run_urls(Stranger(*slow), stops=True)
    rows = rows_of_job(ground, job)
    assert {rows[number].status for number in slow} == {ItemStatus.CANCELLED}
    assert {row.error for row in rows} == {None}
    assert rows[0].status is ItemStatus.SUCCEEDED
