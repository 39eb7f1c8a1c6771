"""Fetches of URLs, some at a time, under the budget that all shards of a process share.

A URL gets a thread when its host's turn and memory have come (workers.engine.reading.budget), and
there is one for all that may be under way. So no slow server keeps another's thread.

A shard's URLs are fetched in chunks. Those of slow servers are set aside, some of them, and go on
being fetched while the next chunks are; their items come at the shard's end:

    chunk ──► all there, or none has come for a while ──► LATE in place of what has not, if there
                                                          is room aside; asked for again at the end

Nothing more is asked of strangers' servers once the shard was told to stop: each URL looks before
it is fetched and on its way.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import repeat
from urllib.parse import urlsplit

from jobs.results.segments import ItemError
from workers.egress import Egress, EgressError, GivenUp
from workers.engine.holding.requester import Requester
from workers.engine.reading.budget import GUESS_BYTES, FetchBudget, Turn, Visit
from workers.engine.reading.postponed import of_url

# URLs of one shard that are fetched at a time, beside those that are aside: as many threads are
# there for each.
FETCHES = 8
# How often who waits says that it is no stall, and looks whether to go on.
_BEAT_S = 0.5
# So long a chunk waits for a further answer before it goes on without those that have not come.
PATIENCE_S = 2.0
# And a shard sets aside so many at most.
MOST_ASIDE = 2 * FETCHES

LATE = ItemError("stopped", "This item is still being fetched.")
"""In place of a URL's bytes that were set aside; never an item's result."""

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


class Aside:
    """The URLs of one shard that its chunks went on without; one thread uses it."""

    def __init__(self, tenant: str = "", patience_s: float = PATIENCE_S) -> None:
        self.patience_s = patience_s
        # Whether more may be set aside: not at the shard's end, when all are waited for.
        self.is_open = True
        self.turn = Turn(tenant, is_aside=True)
        self.wanted: dict[str, _Wanted] = {}

    def has_room_for(self, late: Sequence[_Wanted]) -> bool:
        """Say whether they may be set aside; a URL that is there already may not."""
        urls = {each.url for each in late} - self.wanted.keys()
        return self.is_open and len(urls) == len(late) <= MOST_ASIDE - len(self.wanted)


class Fetches:
    """Fetches URLs, some at a time; safe to share between threads."""

    def __init__(self, egress: Egress, threads: Executor, budget: FetchBudget) -> None:
        self._egress, self._threads, self._budget = egress, threads, budget
        # Held while a URL gets another visit or another turn: never both at a time.
        self._moving = threading.RLock()

    def fetch(
        self,
        urls: Sequence[str],
        max_bytes: int,
        requester: Requester,
        aside: Aside | None = None,
    ) -> Iterator[memoryview | ItemError]:
        """Give what lies behind each, at most `max_bytes`, or why there is nothing; in order.

        The requester's `beat` is called while they are waited for. Once it is `stopped` no further
        URL is asked for, and what has not come is not waited for. `aside` has what earlier chunks
        of the shard went on without, and takes what this one does: that is LATE here.
        """
        if requester.stopped.is_set():
            yield from repeat(_STOPPED, len(urls))
            return
        with self._budget.turn(requester.tenant) as turn:
            pending = [self._asked(turn, url, max_bytes, requester, aside) for url in urls]
            pending.reverse()
            try:
                if aside is not None:
                    self._set_aside(pending, aside, requester)
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

    def forget(self, aside: Aside) -> None:
        """Give up what is still aside: its shard is over."""
        for wanted in aside.wanted.values():
            self._give_up(wanted)
        aside.wanted.clear()

    def _asked(
        self, turn: Turn, url: str, max_bytes: int, requester: Requester, aside: Aside | None
    ) -> _Wanted:
        """Ask for a URL, or take up one that was set aside."""
        wanted = None if aside is None or aside.is_open else aside.wanted.pop(url, None)
        if wanted is None:
            wanted = _Wanted(turn, url, max_bytes, requester)
            self._ask(wanted, min(GUESS_BYTES, max_bytes))
        else:
            self._move(wanted, turn)
        return wanted

    def _set_aside(self, pending: list[_Wanted], aside: Aside, requester: Requester) -> None:
        """Wait until all have come, or those that have not may go on aside."""
        waited_from = time.monotonic()
        while late := [wanted for wanted in pending if not wanted.answer.done()]:
            if requester.stopped.is_set():
                return
            is_patient = time.monotonic() - waited_from <= aside.patience_s
            if not is_patient and self._moved_aside(late, aside):
                for wanted in late:
                    pending[pending.index(wanted)] = _late(wanted)
                return
            answers = [wanted.answer for wanted in late]
            if wait(answers, min(_BEAT_S, aside.patience_s), FIRST_COMPLETED).done:
                waited_from = time.monotonic()
            requester.beat()

    def _moved_aside(self, late: Sequence[_Wanted], aside: Aside) -> bool:
        """Set URLs of a chunk aside; False, and nothing changes, without places or memory there."""
        # No two shards take the same room.
        with self._moving:
            visits = [wanted.visit for wanted in late if wanted.visit is not None]
            if not aside.has_room_for(late) or not self._budget.has_room_aside(visits):
                return False
            for wanted in late:
                self._move(wanted, aside.turn)
                aside.wanted[wanted.url] = wanted
            return True

    def _move(self, wanted: _Wanted, turn: Turn) -> None:
        with self._moving:
            wanted.turn = turn
            if wanted.visit is not None:
                self._budget.move(wanted.visit, turn)

    def _ask(self, wanted: _Wanted, size: int) -> None:
        with self._moving:
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


def _late(wanted: _Wanted) -> _Wanted:
    """Stand for a URL that was set aside in the chunk that goes on without it."""
    standing = replace(wanted, answer=Future(), visit=None)
    standing.answer.set_result(LATE)
    return standing


def _host_of(url: str) -> str:
    """Give the host as one word; what has none is refused before anybody is called."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""
