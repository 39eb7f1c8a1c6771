"""One host of URLs gets so many requests and bytes at a time, and keeps nobody from the others."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from jobs.base.settings import MIB
from jobs.results.segments import ItemError
from tests.contract.egress.world import Server, World, answer
from workers.egress import GivenUp
from workers.engine.holding.requester import Requester
from workers.engine.reading.budget import GUESS_BYTES, FetchBudget, Turn, Visit
from workers.engine.reading.fetching import FETCHES, Fetches

MOST = 3


class Counting:
    """A server that counts the requests under way, and answers once `open` lets it."""

    def __init__(self, body: bytes = b"x", *, is_open: bool = True) -> None:
        self.body, self.open = body, threading.Event()
        self.asked = threading.Semaphore(0)
        self.now = self.most = 0
        self.paths: Counter[str] = Counter()
        self._lock = threading.Lock()
        if is_open:
            self.open.set()

    def __call__(self, server: Server, sock: object) -> None:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
            self.paths[server.last(sock).split()[1].decode()] += 1
        self.asked.release()
        assert self.open.wait(20)
        # Counted down before the answer: whoever has it may ask again at once.
        with self._lock:
            self.now -= 1
        sock.sendall(answer(self.body))  # type: ignore[attr-defined]


class Asked:
    """A visit that was asked for, and whether it has begun."""

    def __init__(self, budget: FetchBudget, turn: Turn, host: str, size: int = 1) -> None:
        self.has_begun = False
        self.visit = budget.ask(turn, host, size, self._begin)

    def _begin(self, visit: Visit) -> None:
        self.has_begun = True


@pytest.fixture
def world() -> Iterator[World]:
    with ExitStack() as stack:
        yield World(stack)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """As an engine has them: for three shards."""
    with ThreadPoolExecutor(3 * FETCHES) as pool:
        yield pool


@pytest.fixture
def shards() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(3) as pool:
        yield pool


def url(host: str, server: Server, path: str) -> str:
    return f"http://{host}:{server.port}/{path}"


def kinds(contents: "Future[list[object]]") -> list[object]:
    """Give errors by their code, and the length of what came."""
    return [
        each.code if isinstance(each, ItemError) else len(each)  # type: ignore[arg-type]
        for each in contents.result(20)
    ]


def test_a_host_is_asked_by_all_shards_together_for_no_more_at_a_time_than_the_limit(
    world: World, threads: ThreadPoolExecutor, shards: ThreadPoolExecutor
) -> None:
    slow = Counting(is_open=False)
    server = world.server(slow)
    fetches = Fetches(world.egress(), threads, FetchBudget(requests_per_host=MOST))

    def shard(tenant: str) -> list[object]:
        urls = [url("127.0.0.1", server, f"{tenant}{number}") for number in range(FETCHES)]
        return list(fetches.fetch(urls, 1000, Requester(tenant)))

    running = [shards.submit(shard, tenant) for tenant in "abc"]
    for _ in range(MOST):
        assert slow.asked.acquire(timeout=10)
    assert slow.now == MOST
    slow.open.set()
    assert [kinds(each) for each in running] == [[1] * FETCHES] * 3
    assert slow.most == MOST
    assert slow.paths.total() == 3 * FETCHES


def test_a_host_that_does_not_answer_keeps_nobody_from_another(
    world: World, threads: ThreadPoolExecutor, shards: ThreadPoolExecutor
) -> None:
    dead, quick = Counting(is_open=False), Counting()
    dead_server, quick_server = world.server(dead), world.server(quick, host="127.0.0.2")
    # Memory for no two files of the largest size, as a large one or a few of strangers may take it.
    budget = FetchBudget(64 * MIB, requests_per_host=MOST)
    fetches = Fetches(world.egress(), threads, budget)

    def shard(host: str, server: Server, tenant: str) -> list[object]:
        urls = [url(host, server, str(number)) for number in range(FETCHES)]
        return list(fetches.fetch(urls, 50 * MIB, Requester(tenant)))

    stuck = [shards.submit(shard, "127.0.0.1", dead_server, "a") for _ in range(2)]
    for _ in range(MOST):
        assert dead.asked.acquire(timeout=10)
    assert kinds(shards.submit(shard, "127.0.0.2", quick_server, "b")) == [1] * FETCHES
    assert dead.now == MOST
    dead.open.set()
    assert [kinds(each) for each in stuck] == [[1] * FETCHES] * 2


def test_tenants_who_wait_for_one_host_take_turns() -> None:
    budget = FetchBudget(requests_per_host=2)
    with budget.turn("many") as many, budget.turn("one") as one:
        first = [Asked(budget, many, "h") for _ in range(2)]
        waiting = [Asked(budget, turn, "h") for turn in (many, many, many, one)]
        assert [each.has_begun for each in (*first, *waiting)] == [True, True, *[False] * 4]
        budget.leave(first[0].visit)
        assert [each.has_begun for each in waiting] == [False, False, False, True]
        budget.leave(first[1].visit)
        assert [each.has_begun for each in waiting] == [True, False, False, True]


def test_what_is_larger_than_was_thought_is_fetched_once_if_there_is_room_and_twice_if_not(
    world: World, threads: ThreadPoolExecutor, shards: ThreadPoolExecutor
) -> None:
    large = Counting(bytes(GUESS_BYTES + 1))
    server = world.server(large)
    budget = FetchBudget(64 * MIB)
    fetches = Fetches(world.egress(), threads, budget)

    def shard(path: str) -> list[object]:
        urls = [url("127.0.0.1", server, path)]
        return [len(each) for each in fetches.fetch(urls, 8 * MIB, Requester())]  # type: ignore[arg-type]

    assert shard("room") == [GUESS_BYTES + 1]
    with budget.turn() as other:
        held = Asked(budget, other, "elsewhere.example", 44 * MIB)
        waiting = shards.submit(shard, "none")
        assert large.asked.acquire(timeout=10)
        assert large.asked.acquire(timeout=10)
        while budget.held > 44 * MIB:  # until it has been broken off
            threading.Event().wait(0.01)
        assert not waiting.done()
        budget.leave(held.visit)
        assert waiting.result(20) == [GUESS_BYTES + 1]
    assert large.paths == {"/room": 1, "/none": 2}
    assert budget.held == 0


def test_one_host_has_so_many_bytes_under_way_and_one_file_whatever_its_size() -> None:
    budget = FetchBudget(bytes_per_host=10 * MIB)
    with budget.turn() as turn:
        huge = Asked(budget, turn, "h", 50 * MIB)
        second, elsewhere = Asked(budget, turn, "h"), Asked(budget, turn, "i")
        assert [huge.has_begun, second.has_begun, elsewhere.has_begun] == [True, False, True]
        budget.leave(huge.visit)
        assert second.has_begun
        assert budget.grow(second.visit, 11 * MIB), "alone it may be as large as it is"
        third = Asked(budget, turn, "h")
        assert not third.has_begun
        budget.leave(second.visit)
        fourth = Asked(budget, turn, "h", 9 * MIB)
        assert [third.has_begun, fourth.has_begun] == [True, True]
        assert not budget.grow(third.visit, 2 * MIB)
        for each in (elsewhere, third, fourth):
            budget.leave(each.visit)
    assert budget.held == 0


def test_who_needs_more_of_a_host_than_is_free_is_not_passed_by_for_ever() -> None:
    budget = FetchBudget(bytes_per_host=10 * MIB)
    with budget.turn() as turn:
        small = Asked(budget, turn, "h")
        large, later = Asked(budget, turn, "h", 10 * MIB), Asked(budget, turn, "h")
        assert [large.has_begun, later.has_begun] == [False, False]
        budget.leave(small.visit)
        assert [large.has_begun, later.has_begun] == [True, False]
        assert budget.give_up(later.visit)
        assert not budget.give_up(large.visit)
        budget.leave(large.visit)
    assert budget.held == 0


def test_small_files_pass_where_large_ones_wait_for_memory() -> None:
    budget = FetchBudget(64 * MIB)
    with budget.turn("large") as first, budget.turn("small") as second:
        taken = [Asked(budget, first, f"h{number}", 16 * MIB) for number in range(4)]
        assert [each.has_begun for each in taken] == [True, True, True, False]
        small = Asked(budget, second, "h", GUESS_BYTES)
        large = Asked(budget, second, "h", GUESS_BYTES + 1)
        assert [small.has_begun, large.has_begun] == [True, False]


def test_a_url_that_waits_for_its_hosts_turn_is_no_stall_and_can_be_stopped(
    world: World, threads: ThreadPoolExecutor, shards: ThreadPoolExecutor
) -> None:
    budget = FetchBudget(requests_per_host=1)
    egress = world.egress()
    fetches = Fetches(egress, threads, budget)
    beaten, stopped = threading.Event(), threading.Event()
    with budget.turn("other") as other:
        held = Asked(budget, other, "127.0.0.1")
        requester = Requester("mine", beaten.set, stopped)
        urls = ["http://127.0.0.1:1/a"] * 2
        waiting = shards.submit(lambda: list(fetches.fetch(urls, 100, requester)))
        film = shards.submit(lambda: list(fetches.stream(urls[0], 100, 5, requester)))
        assert beaten.wait(10)
        stopped.set()
        assert kinds(waiting) == ["stopped"] * 2
        with pytest.raises(GivenUp):
            film.result(20)
        budget.leave(held.visit)
    assert budget.held == 0
