"""What shards have set aside holds a part of the memory, and keeps no tenant from the rest."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from jobs.base.settings import MIB
from tests.integration.workers.engine.reading.test_hosts_of_urls import Asked
from workers.engine.holding.requester import Requester
from workers.engine.reading.budget import GUESS_BYTES, FetchBudget, Turn
from workers.engine.reading.fetching import FETCHES, LATE, MOST_ASIDE, Aside, Fetches

# Of a budget of 128 MiB 32 may be aside: one large file, or eight of which nothing is known.
BUDGET = 128 * MIB
LARGE = 24 * MIB


class Servers:
    """Hosts that answer at once, or, the slow and the large ones, once they are let to.

    What each gives stands before the first dot of its name.
    """

    def __init__(self) -> None:
        self.asked: dict[str, threading.Semaphore] = {}
        self.let = {"large": threading.Event(), "slow": threading.Event()}
        # How often a large one has said how large it is.
        self.told = threading.Semaphore(0)
        self.given: Counter[str] = Counter()
        self._lock = threading.Lock()

    def asked_for(self, kind: str) -> threading.Semaphore:
        with self._lock:
            return self.asked.setdefault(kind, threading.Semaphore(0))

    def get(self, url: str, max_bytes: int, stopped: object, need: Callable[[int], None]) -> bytes:
        host = url.removeprefix("http://").partition("/")[0]
        kind = host.partition(".")[0]
        self.asked_for(kind).release()
        assert kind not in self.let or self.let[kind].wait(30)
        size = LARGE if kind == "large" else 1
        try:
            need(size)
        finally:
            if kind == "large":
                self.told.release()
        with self._lock:
            self.given[url] += 1
        return bytes(size)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """As an engine has them: for two shards."""
    with ThreadPoolExecutor(2 * (FETCHES + MOST_ASIDE)) as pool:
        yield pool


@pytest.fixture
def shards() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def chunk_of(kind: str, name: str) -> list[str]:
    """Give a chunk of URLs, each of a host of its own."""
    return [f"http://{kind}.{name}{number}.example/" for number in range(FETCHES)]


def test_what_one_tenant_has_set_aside_keeps_no_other_from_its_memory(
    threads: ThreadPoolExecutor, shards: ThreadPoolExecutor
) -> None:
    servers, budget = Servers(), FetchBudget(BUDGET)
    fetches = Fetches(servers, threads, budget)  # type: ignore[arg-type]

    def fetch(urls: Sequence[str], tenant: str, aside: Aside | None = None) -> list[object]:
        contents = fetches.fetch(urls, LARGE, Requester(tenant), aside)
        return [each if each is LATE else len(each) for each in contents]  # type: ignore[arg-type]

    theirs = Aside("theirs", patience_s=0.01)
    large, slow, last = (chunk_of(*each) for each in (("large", "a"), ("slow", "b"), ("slow", "c")))
    assert fetch(large, "theirs", theirs) == [LATE] * FETCHES
    # They say now how large they are; whoever has come keeps its bytes, as nobody takes them.
    servers.let["large"].set()
    for _ in large:
        assert servers.told.acquire(timeout=10)
    assert fetch(slow, "theirs", theirs) == [LATE] * FETCHES
    for _ in slow:
        assert servers.asked_for("slow").acquire(timeout=10)
    # As many are aside as may be: this one waits.
    waiting = shards.submit(fetch, last, "theirs", theirs)
    assert servers.asked_for("slow").acquire(timeout=10)

    mine = shards.submit(fetch, chunk_of("quick", "d"), "mine")
    try:
        assert mine.result(10) == [1] * FETCHES
        assert not waiting.done()
    finally:
        servers.let["slow"].set()
    assert waiting.result(20) == [1] * FETCHES
    # At the shard's end each comes, alone, also what has waited for its memory until then.
    theirs.is_open = False
    late = [fetch([url], "theirs", theirs) for url in (*large, *slow)]
    assert late == [[LARGE]] * FETCHES + [[1]] * FETCHES
    assert set(servers.given.values()) == {1}
    assert budget.held == 0


def test_a_chunk_of_another_shard_is_waited_for_where_the_part_is_full(
    threads: ThreadPoolExecutor, shards: ThreadPoolExecutor
) -> None:
    servers, beats = Servers(), threading.Semaphore(0)
    fetches = Fetches(servers, threads, FetchBudget(BUDGET))  # type: ignore[arg-type]
    first, second = Aside("a", patience_s=0.01), Aside("b", patience_s=0.01)
    full = list(fetches.fetch(chunk_of("slow", "a"), LARGE, Requester("a"), first))
    assert full == [LATE] * FETCHES
    requester = Requester("b", beats.release)
    waiting = shards.submit(
        lambda: list(fetches.fetch(chunk_of("slow", "b"), LARGE, requester, second))
    )
    try:
        for _ in range(FETCHES):
            assert beats.acquire(timeout=10), "it waits on, and says that it is no stall"
    finally:
        servers.let["slow"].set()
    assert [bytes(each) for each in waiting.result(20)] == [b"\0"] * FETCHES
    fetches.forget(first)


def test_what_is_aside_grows_and_begins_within_its_part_and_holds_up_nobody_at_its_host() -> None:
    budget = FetchBudget(BUDGET)
    aside = Turn("theirs", is_aside=True)
    first = Asked(budget, aside, "h", 28 * MIB)
    assert not budget.grow(first.visit, 33 * MIB)
    assert budget.grow(first.visit, 30 * MIB)
    with budget.turn("mine") as turn:
        second, mine = Asked(budget, aside, "h", GUESS_BYTES), Asked(budget, turn, "h", LARGE)
        assert [second.has_begun, mine.has_begun] == [False, True]
        budget.move(second.visit, turn)
        assert second.has_begun, "of a chunk it may"
        for each in (first, second, mine):
            budget.leave(each.visit)
    assert budget.held == 0


def test_who_waits_aside_begins_when_another_there_is_let_go() -> None:
    budget = FetchBudget(BUDGET)
    aside = Turn("theirs", is_aside=True)
    first, second = Asked(budget, aside, "h", LARGE), Asked(budget, aside, "i", LARGE)
    assert [first.has_begun, second.has_begun] == [True, False]
    budget.leave(first.visit)
    assert second.has_begun
    budget.leave(second.visit)
    assert budget.held == 0


def test_a_chunk_waits_for_large_files_that_have_no_room_aside() -> None:
    budget = FetchBudget(BUDGET)
    with budget.turn() as turn:
        small = [Asked(budget, turn, f"s{number}", GUESS_BYTES).visit for number in range(8)]
        large = [Asked(budget, turn, f"l{number}", LARGE // 2).visit for number in range(3)]
        assert budget.has_room_aside(small)
        assert budget.has_room_aside(large[:2])
        assert not budget.has_room_aside(large)
        aside = Turn(is_aside=True)
        for visit in small:
            budget.move(visit, aside)
        assert not budget.has_room_aside(large[:1])
        assert not budget.has_room_aside([])
        for visit in (*small, *large):
            budget.leave(visit)
    assert budget.held == 0
