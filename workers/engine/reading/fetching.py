"""Fetches of URLs, some at a time, under the budget that all shards of a process share.

A URL gets a thread when its host's turn and memory have come (workers.engine.reading.budget), and
there is one for all that may be under way. So no slow server keeps another's thread.

Nothing more is asked of strangers' servers once the shard was told to stop: each URL looks before
it is fetched and on its way.
"""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass, field
from functools import partial
from itertools import repeat
from urllib.parse import urlsplit

from jobs.results.segments import ItemError
from workers.egress import Egress, EgressError, GivenUp
from workers.engine.holding.requester import Requester
from workers.engine.reading.budget import GUESS_BYTES, FetchBudget, Turn, Visit
from workers.engine.reading.postponed import of_url

# URLs of one shard that are fetched at a time: as many threads are there for each.
FETCHES = 8
# How often who waits says that it is no stall, and looks whether to go on.
_BEAT_S = 0.5

# What has no bytes because its shard was told to stop; no row says so.
_STOPPED = ItemError("stopped", "This item was not fetched: its shard was told to stop.")


class _NoRoom(Exception):
    """A file is larger than was reserved for it, and there is no room for it just now."""

    def __init__(self, size: int) -> None:
        super().__init__(f"There is no room for {size} bytes.")
        self.size = size


@dataclass(slots=True, eq=False)
class _Wanted:
    """One URL of a chunk, and its answer to come."""

    turn: Turn
    url: str
    max_bytes: int
    requester: Requester
    answer: "Future[memoryview | ItemError]" = field(default_factory=Future)
    visit: Visit | None = None


class Fetches:
    """Fetches URLs, some at a time; safe to share between threads."""

    def __init__(self, egress: Egress, threads: Executor, budget: FetchBudget) -> None:
        self._egress, self._threads, self._budget = egress, threads, budget

    def fetch(
        self, urls: Sequence[str], max_bytes: int, requester: Requester
    ) -> Iterator[memoryview | ItemError]:
        """Give what lies behind each, at most `max_bytes`, or why there is nothing; in order.

        The requester's `beat` is called while they are waited for. Once it is `stopped` no further
        URL is asked for, and what has not come is not waited for.
        """
        if requester.stopped.is_set():
            yield from repeat(_STOPPED, len(urls))
            return
        with self._budget.turn(requester.tenant) as turn:
            pending = [_Wanted(turn, url, max_bytes, requester) for url in urls]
            for wanted in pending:
                self._ask(wanted, min(GUESS_BYTES, max_bytes))
            pending.reverse()
            try:
                while pending:
                    # Popped: one that stayed would hold on to its bytes.
                    content = self._awaited(pending.pop())
                    requester.beat()
                    yield content
            finally:
                # Of a shard that failed meanwhile: nobody wants the others any more.
                for wanted in pending:
                    self._give_up(wanted)

    def stream(
        self, url: str, max_bytes: int, timeout_s: float, requester: Requester
    ) -> Iterator[bytes]:
        """Give a body piece by piece, for who does not keep it in memory; in the caller's thread.

        `timeout_s` counts from where the host's turn has come. Raises GivenUp and EgressError.
        """
        begun = threading.Event()
        turn = Turn(requester.tenant)
        visit = self._budget.ask(turn, _host_of(url), 0, lambda _: begun.set())
        while not begun.wait(_BEAT_S):
            if requester.stopped.is_set() and self._budget.give_up(visit):
                raise GivenUp
            requester.beat()
        try:
            yield from self._egress.stream(url, max_bytes, timeout_s, requester.stopped)
        finally:
            self._budget.leave(visit)

    def _ask(self, wanted: _Wanted, size: int) -> None:
        wanted.visit = self._budget.ask(
            wanted.turn,
            _host_of(wanted.url),
            size,
            lambda visit: self._threads.submit(self._fetch, wanted, visit),
        )

    def _awaited(self, wanted: _Wanted) -> memoryview | ItemError:
        requester = wanted.requester
        while not wait([wanted.answer], 0 if requester.stopped.is_set() else _BEAT_S).done:
            if requester.stopped.is_set():
                self._give_up(wanted)
                return _STOPPED
            requester.beat()
        return wanted.answer.result()

    def _give_up(self, wanted: _Wanted) -> None:
        """Take a URL out of the line; one under way ends by itself and gives back its bytes."""
        if wanted.visit is not None:
            self._budget.give_up(wanted.visit)

    def _fetch(self, wanted: _Wanted, visit: Visit) -> None:
        """See one URL through to its answer, or back into the line."""
        answer = wanted.answer
        try:
            answer.set_result(self._brought(wanted, visit))
        except _NoRoom as err:
            # Broken off, and asked for anew when there is room: at last for the most it may be.
            is_first = visit.reserved == GUESS_BYTES
            self._ask(wanted, err.size if is_first else wanted.max_bytes)
        except GivenUp:
            answer.set_result(_STOPPED)
        except EgressError as err:
            answer.set_result(of_url(err))
        except BaseException as err:
            answer.set_exception(err)

    def _brought(self, wanted: _Wanted, visit: Visit) -> memoryview:
        stopped = wanted.requester.stopped
        need = partial(self._need, visit, wanted.max_bytes)
        try:
            if stopped.is_set():
                raise GivenUp
            content = self._egress.get(wanted.url, wanted.max_bytes, stopped, need)
        except BaseException:
            self._budget.leave(visit)
            raise
        return self._budget.hold(visit, content)

    def _need(self, visit: Visit, max_bytes: int, size: int) -> None:
        """See to it that `size` bytes are reserved; raises _NoRoom."""
        if size <= visit.reserved:
            return
        size = max(size, min(2 * visit.reserved, max_bytes))
        if not self._budget.grow(visit, size):
            raise _NoRoom(size)


def _host_of(url: str) -> str:
    """Give the host as one word; what has none is refused before anybody is called."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""
