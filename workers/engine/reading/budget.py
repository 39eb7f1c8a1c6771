"""What fetches may take at a time: memory of this process, and their hosts' patience.

Nobody knows how much lies behind a URL. So each fetch begins with room for a small file, and asks
for more when the server says a length, or sends more:

    ask, with room for a guess ──► fetch ──► grow ──► decoded, let go ──► all is given back
                                     └── no room: broken off, and asked again for more room

Who waits holds nothing: neither a request to a host, nor bytes. Only what has come is held while
other URLs of its chunk are waited for. So that no two chunks wait for each other's memory, the
oldest that is being fetched waits only for such as are all there: these will be decoded and let go
whatever it does, and what its own shard keeps of them to be drawn on is let go while it waits
(workers.engine.images). Beyond them it has one file at a time. What a shard has set aside until its
end, because its server is slow, waits for nobody else and is waited for by nobody. It has a part of
the memory, for all shards together, and what finds no room in it waits for its shard's end.

What may be under way at one host is limited, for its sake and for that of the others: in requests
and in bytes. Tenants who wait for the same host take turns. And large files leave a part of the
memory to small ones, so that nobody's slow large ones keep others from theirs.
"""

import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

from jobs.base.settings import MIB, Settings

# And one file more, of the oldest chunk.
FETCH_BYTES = 512 * MIB
# What a fetch begins with: more than most pictures have.
GUESS_BYTES = 4 * MIB
# The part of the memory that what is larger than a guess may fill.
_LARGE_PART = 0.75
# And the part that all that is set aside may: nobody lets go of it for long.
_ASIDE_PART = 0.25


@dataclass(slots=True, eq=False)
class Turn:
    """One chunk that is fetched for a tenant: the bytes that it holds, and its requests.

    Or what a shard has set aside, `is_aside`: nobody lets go of it before the shard's end.
    """

    tenant: str = ""
    held: int = 0
    under_way: int = 0
    is_aside: bool = False


@dataclass(slots=True, eq=False)
class Visit:
    """One request to a host, while it waits and while it is under way; then what it brought.

    `reserved` are the bytes that it may bring, `held` those that its turn holds of it.
    """

    turn: Turn
    host: str
    reserved: int
    number: int
    held: int = 0
    is_under_way: bool = False


# Called with a visit that may begin, by whoever made room: it must not wait for anything.
Begin = Callable[[Visit], object]


@dataclass(slots=True)
class _Host:
    """What is under way at one host, by tenant and in bytes, and who waits for it."""

    requests: Counter[str] = field(default_factory=Counter)
    bytes: int = 0
    waiting: dict[Visit, Begin] = field(default_factory=dict)

    def in_order(self) -> list[Visit]:
        """Give who waits: tenants with the fewest requests first, and each one's oldest first."""
        return sorted(
            self.waiting, key=lambda visit: (self.requests[visit.turn.tenant], visit.number)
        )


class FetchBudget:
    """Bytes and requests that fetches may have at a time; safe to share between threads."""

    def __init__(
        self,
        total: int = FETCH_BYTES,
        *,
        requests_per_host: int = 16,
        bytes_per_host: int = 128 * MIB,
    ) -> None:
        self._total = total
        self._requests_per_host, self._bytes_per_host = requests_per_host, bytes_per_host
        self._held = 0
        self._aside = 0
        # In the order of their beginning.
        self._open: list[Turn] = []
        # Those at which something is under way, or waited for: a job may name millions.
        self._hosts: dict[str, _Host] = {}
        self._numbers = count()
        # Reentrant: a view may be let go by the collector in the middle of anything.
        self._lock = threading.RLock()

    @property
    def held(self) -> int:
        """Bytes that are reserved or held now."""
        return self._held

    @contextmanager
    def turn(self, tenant: str = "") -> Iterator[Turn]:
        """Give the right to fetch one chunk, for as long as that takes."""
        turn = Turn(tenant)
        with self._lock:
            self._open.append(turn)
            self._admit()
        try:
            yield turn
        finally:
            with self._lock:
                self._open.remove(turn)
                self._admit()

    def ask(self, turn: Turn, host: str, size: int, begin: Begin) -> Visit:
        """Line up for a request to the host that brings up to `size` bytes.

        Once it may begin, perhaps at once, `begin` is called with the visit. Whoever began ends it
        by `leave` or `hold`; until then `give_up` does.
        """
        visit = Visit(turn, host, size, next(self._numbers))
        with self._lock:
            self._hosts.setdefault(host, _Host()).waiting[visit] = begin
            self._admit()
        return visit

    def give_up(self, visit: Visit) -> bool:
        """Take back a visit that waits; False if it has begun."""
        with self._lock:
            at = self._hosts.get(visit.host)
            if at is None or visit not in at.waiting:
                return False
            del at.waiting[visit]
            self._forget(visit.host)
            self._admit()
            return True

    def grow(self, visit: Visit, size: int) -> bool:
        """Reserve `size` bytes in all for a visit; False, and nothing changes, without room."""
        with self._lock:
            at, more = self._hosts[visit.host], size - visit.reserved
            others = at.bytes - visit.reserved
            if others and others + size > self._bytes_per_host:
                return False
            if not self._fits(more, size) or not self._may_hold(visit.turn, more):
                return False
            self._reserve(visit, at, more)
            visit.reserved = size
            return True

    def has_room_aside(self, visits: Iterable[Visit]) -> bool:
        """Say whether visits of a chunk may be set aside, with what they hold.

        Those that hold no more than a guess may go a little beyond the part: a chunk has few.
        """
        with self._lock:
            large = sum(visit.held for visit in visits if visit.held > GUESS_BYTES)
            return self._aside < self._total * _ASIDE_PART - large

    def move(self, visit: Visit, turn: Turn) -> None:
        """Have another turn of its tenant hold a visit, whether it waits, is under way or over."""
        with self._lock:
            held, under_way = visit.held, visit.is_under_way
            self._hold(visit, -held)
            visit.turn.under_way -= under_way
            visit.turn = turn
            visit.turn.under_way += under_way
            self._hold(visit, held)
            self._admit()

    def leave(self, visit: Visit) -> None:
        """End a visit that brought nothing."""
        with self._lock:
            at = self._hosts[visit.host]
            at.requests[visit.turn.tenant] -= 1
            visit.turn.under_way -= 1
            visit.is_under_way = False
            self._reserve(visit, at, -visit.reserved)
            self._forget(visit.host)
            self._admit()

    def hold(self, visit: Visit, content: bytes) -> memoryview:
        """End a visit; gives a view of what came, whose bytes are held until it is let go."""
        with self._lock:
            self._hold(visit, len(content))
            self.leave(visit)
        view = memoryview(content)
        weakref.finalize(view, self._give_back, visit, len(content)).atexit = False
        return view

    def _admit(self) -> None:
        """Let begin who may: called with every change."""
        for at in [each for each in self._hosts.values() if each.waiting]:
            while visit := self._next_at(at):
                # Bytes that were let go meanwhile, in this very thread, may have let it begin.
                begin = at.waiting.pop(visit, None)
                if begin is None:
                    continue
                at.requests[visit.turn.tenant] += 1
                visit.turn.under_way += 1
                visit.is_under_way = True
                self._reserve(visit, at, visit.reserved)
                begin(visit)

    def _next_at(self, at: _Host) -> Visit | None:
        """Give who may begin at a host; whoever comes first there is asked first."""
        if at.requests.total() >= self._requests_per_host:
            return None
        for visit in at.in_order():
            size = visit.reserved
            # It is passed by: its time comes with its shard's end.
            if not self._may_hold(visit.turn, size):
                continue
            # One may always be under way, however large; until then smaller ones wait behind it.
            if at.bytes and at.bytes + size > self._bytes_per_host:
                return None
            if self._fits(size, size) or self._waits_in_vain(visit.turn):
                return visit
        return None

    def _fits(self, more: int, size: int) -> bool:
        """Say whether so many more bytes may be held, of a fetch that reserves `size` in all."""
        part = 1 if size <= GUESS_BYTES else _LARGE_PART
        return self._held + more <= self._total * part

    def _may_hold(self, turn: Turn, more: int) -> bool:
        """Say whether a turn may hold so much more: of what is aside, all together have a part."""
        return not turn.is_aside or self._aside + more <= self._total * _ASIDE_PART

    def _waits_in_vain(self, turn: Turn) -> bool:
        """Say whether all that is held is aside, or of chunks that wait, this one first."""
        if turn.under_way or not self._open or turn is not self._open[0]:
            return False
        return self._held == self._aside + sum(each.held for each in self._open)

    def _reserve(self, visit: Visit, at: _Host, more: int) -> None:
        at.bytes += more
        self._hold(visit, more)

    def _hold(self, visit: Visit, more: int) -> None:
        self._held += more
        visit.held += more
        visit.turn.held += more
        if visit.turn.is_aside:
            self._aside += more

    def _give_back(self, visit: Visit, size: int) -> None:
        """Let others have what a visit brought."""
        with self._lock:
            self._hold(visit, -size)
            self._admit()

    def _forget(self, host: str) -> None:
        at = self._hosts[host]
        if not at.waiting and not at.requests.total():
            del self._hosts[host]


def budget_of(settings: Settings) -> FetchBudget:
    """Make the budget of a process, with the operator's limits for one host."""
    return FetchBudget(
        requests_per_host=settings.url_requests_per_host,
        bytes_per_host=settings.url_bytes_per_host,
    )
