"""Bytes behind URLs count as the most they may be until they have come, and as what they are then.

No chunk waits for memory that only another waiting one holds.
"""

import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from jobs.results.segments import ItemError
from workers.egress import EgressError
from workers.engine.holding.requester import Requester
from workers.engine.reading.budget import FetchBudget
from workers.engine.reading.fetching import Fetches


class Servers:
    """An egress: how large each answer is, stands in its URL."""

    def __init__(self, budget):
        self.budget, self.most_held, self.most_at_once, self._now = budget, 0, 0, 0
        self._lock = threading.Lock()
        self.asked, self.free = threading.Semaphore(0), threading.Event()
        self.free.set()

    def get(self, url, max_bytes, stopped, need):
        self.asked.release()
        assert self.free.wait(10)
        with self._lock:
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
            self.most_held = max(self.most_held, self.budget.held)
        try:
            size = int(url)
        except ValueError as err:
            raise EgressError("no", code="url_timeout", retryable=True) from err
        finally:
            with self._lock:
                self._now -= 1
        return bytes(size)


@pytest.fixture
def threads():
    with ThreadPoolExecutor(16) as pool:
        yield pool


def test_bytes_are_held_until_their_view_is_let_go_and_no_longer(threads):
    budget = FetchBudget(1000)
    servers = Servers(budget)
    fetches = Fetches(servers, threads, budget)
    contents = list(fetches.fetch(["10", "x", "20"], 100, Requester()))
    assert [len(each) for each in contents if not isinstance(each, ItemError)] == [10, 20]
    assert contents[1] == ItemError("url_timeout", "no", True)
    assert budget.held == 30
    part = contents[2][5:]
    del contents
    assert budget.held == 0
    assert len(part) == 15


def test_unknown_sizes_count_as_the_most_they_may_be(threads):
    budget = FetchBudget(1000)
    servers = Servers(budget)
    fetches = Fetches(servers, threads, budget)
    beats = []
    servers.free.clear()
    with budget.turn() as older:
        visit = budget.ask(older, "other.example", 600, lambda _: None)
        with ThreadPoolExecutor(1) as shard:
            waiting = shard.submit(
                lambda: [
                    len(x)
                    for x in fetches.fetch(["5"] * 8, 100, Requester(beat=lambda: beats.append(1)))
                ]
            )
            for _ in range(4):
                assert servers.asked.acquire(timeout=10)
            assert budget.held == 1000
            budget.leave(visit)
            servers.free.set()
            assert waiting.result(10) == [5] * 8
    assert servers.most_held <= 1000
    assert len(beats) >= 8


def test_chunks_that_together_need_more_than_there_is_all_come_through(threads):
    budget = FetchBudget(1000)
    servers = Servers(budget)
    fetches = Fetches(servers, threads, budget)

    def chunk(number):
        # All of one chunk are held at a time: alone it is as much as the budget.
        contents = list(fetches.fetch(["100"] * 10, 100, Requester()))
        return sum(map(len, contents))

    with ThreadPoolExecutor(4) as shards:
        assert list(shards.map(chunk, range(40), timeout=60)) == [1000] * 40
    assert budget.held == 0
    assert servers.most_held <= 2000


def test_a_chunk_waits_for_one_that_is_there_until_it_was_decoded(threads):
    budget = FetchBudget(1000)
    servers = Servers(budget)
    fetches = Fetches(servers, threads, budget)
    fetched = list(fetches.fetch(["100"] * 10, 100, Requester()))
    with ThreadPoolExecutor(1) as shard:
        beaten = threading.Event()
        second = shard.submit(
            lambda: len(list(fetches.fetch(["100"] * 10, 100, Requester(beat=beaten.set))))
        )
        assert beaten.wait(10), "it waits, and says that it is no stall"
        assert budget.held == 1000
        del fetched
        assert second.result(10) == 10
    assert servers.most_held <= 1000


def test_no_url_is_asked_for_once_the_shard_was_told_to_stop_and_none_is_waited_for():
    budget, stopped = FetchBudget(1000), threading.Event()
    servers = Servers(budget)
    servers.free.clear()
    with ThreadPoolExecutor(2) as threads, ThreadPoolExecutor(1) as shard:
        fetches = Fetches(servers, threads, budget)
        # Two are under way, eight wait for a thread, two for memory.
        waiting = shard.submit(
            lambda: list(fetches.fetch(["5"] * 12, 100, Requester(stopped=stopped)))
        )
        for _ in range(2):
            assert servers.asked.acquire(timeout=10)
        stopped.set()
        contents = waiting.result(10)
        assert [each.code for each in contents] == ["stopped"] * 12
        servers.free.set()
    assert not servers.asked.acquire(blocking=False), "no third one was asked"
    del contents, waiting
    gc.collect()
    assert budget.held == 0


def test_what_comes_after_the_stop_is_nobodys_and_the_next_chunk_asks_for_nothing(threads):
    budget, stopped = FetchBudget(1000), threading.Event()
    servers = Servers(budget)
    stopped.set()
    fetches = Fetches(servers, threads, budget)
    contents = list(fetches.fetch(["5"] * 3, 100, Requester(stopped=stopped)))
    assert [each.code for each in contents] == ["stopped"] * 3
    assert not servers.asked.acquire(blocking=False)
    assert budget.held == 0
