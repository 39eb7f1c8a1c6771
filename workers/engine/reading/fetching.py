"""Fetches of URLs under a budget of bytes, which all shards of a process share.

Nobody knows how much lies behind a URL, so each counts as the most that its model takes until it
has come, and as what it is until it was decoded:

    reserve the most ──► fetch ──► give back the rest ──► decoded, let go ──► give back all

Several URLs are fetched for one chunk, and all of them are held until the chunk is decoded. So that
no two chunks wait for each other's memory, the oldest that is being fetched waits only for such as
are all there: these will be decoded and let go whatever it does.

Nothing more is asked of strangers' servers once the shard was told to stop: each URL looks before
it is fetched and on its way.
"""

import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat

from jobs.results.segments import ItemError
from workers.egress import Egress, EgressError, GivenUp
from workers.engine.reading.postponed import of_url

# And at most so much again, which the oldest chunk holds.
FETCH_BYTES = 512 * 1024 * 1024
# How often who waits says that it is no stall, and looks whether to go on.
_BEAT_S = 0.5

# What has no bytes because its shard was told to stop; no row says so.
_STOPPED = ItemError("stopped", "This item was not fetched: its shard was told to stop.")


@dataclass(slots=True, eq=False)
class Turn:
    """One chunk that is fetched, and the bytes that it holds."""

    held: int = 0


class FetchBudget:
    """Bytes that fetched inputs may hold at a time; safe to share between threads."""

    def __init__(self, total: int = FETCH_BYTES) -> None:
        self._total = total
        self._held = 0
        # In the order of their beginning.
        self._open: list[Turn] = []
        # Reentrant: a view may be let go by the collector in the middle of anything.
        self._changed = threading.Condition(threading.RLock())

    @property
    def held(self) -> int:
        """Bytes that are reserved or held now."""
        return self._held

    @contextmanager
    def turn(self) -> Iterator[Turn]:
        """Give the right to fetch one chunk, for as long as that takes."""
        turn = Turn()
        with self._changed:
            self._open.append(turn)
        try:
            yield turn
        finally:
            with self._changed:
                self._open.remove(turn)
                self._changed.notify_all()

    def reserve(
        self, turn: Turn, count: int, beat: Callable[[], None], stopped: threading.Event
    ) -> bool:
        """Wait until `count` bytes are free, or will not be by waiting; beats while it waits.

        False, and nothing is reserved, when `stopped` was set meanwhile.
        """
        with self._changed:
            while self._held + count > self._total and not self._waits_in_vain(turn):
                if stopped.is_set():
                    return False
                if not self._changed.wait(_BEAT_S):
                    beat()
            self._held += count
            turn.held += count
            return True

    def give_back(self, turn: Turn, count: int) -> None:
        """Let others have so many bytes of a turn's; a negative count takes more."""
        with self._changed:
            self._held -= count
            turn.held -= count
            self._changed.notify_all()

    def hold(self, turn: Turn, content: bytes, reserved: int) -> memoryview:
        """Give a view of what came; its bytes are held until the view is let go."""
        self.give_back(turn, reserved - len(content))
        view = memoryview(content)
        weakref.finalize(view, self.give_back, turn, len(content)).atexit = False
        return view

    def _waits_in_vain(self, turn: Turn) -> bool:
        """Say whether all that is held belongs to chunks that wait themselves, this one first."""
        return turn is self._open[0] and self._held == sum(each.held for each in self._open)


class Fetches:
    """Fetches URLs, some at a time; safe to share between threads."""

    def __init__(self, egress: Egress, threads: Executor, budget: FetchBudget) -> None:
        self._egress, self._threads, self._budget = egress, threads, budget

    def fetch(
        self, urls: list[str], max_bytes: int, beat: Callable[[], None], stopped: threading.Event
    ) -> Iterator[memoryview | ItemError]:
        """Give what lies behind each, at most `max_bytes`, or why there is nothing; in order.

        `beat` is called for every URL that has answered or failed: slow servers are no stall. Once
        `stopped` is set no further URL is asked for, and what has not come is not waited for.
        """
        with self._budget.turn() as turn:
            pending: list[Future[memoryview | ItemError]] = []
            for url in urls:
                if stopped.is_set() or not self._budget.reserve(turn, max_bytes, beat, stopped):
                    break
                pending.append(self._threads.submit(self._fetch, turn, url, max_bytes, stopped))
            not_asked = len(urls) - len(pending)
            pending.reverse()
            while pending:
                # Popped: a future that stayed would hold on to its bytes.
                content = self._awaited(pending.pop(), turn, max_bytes, stopped)
                beat()
                yield content
            yield from repeat(_STOPPED, not_asked)

    def _awaited(
        self,
        fetched: "Future[memoryview | ItemError]",
        turn: Turn,
        reserved: int,
        stopped: threading.Event,
    ) -> memoryview | ItemError:
        while not wait([fetched], _BEAT_S).done:
            if not stopped.is_set():
                continue
            # One that is under way ends by itself, and gives back what it holds.
            if fetched.cancel():
                self._budget.give_back(turn, reserved)
            return _STOPPED
        return fetched.result()

    def _fetch(
        self, turn: Turn, url: str, max_bytes: int, stopped: threading.Event
    ) -> memoryview | ItemError:
        try:
            if stopped.is_set():
                raise GivenUp
            content = self._egress.get(url, max_bytes, stopped)
        except GivenUp:
            self._budget.give_back(turn, max_bytes)
            return _STOPPED
        except EgressError as err:
            self._budget.give_back(turn, max_bytes)
            return of_url(err)
        except BaseException:
            self._budget.give_back(turn, max_bytes)
            raise
        return self._budget.hold(turn, content, max_bytes)
