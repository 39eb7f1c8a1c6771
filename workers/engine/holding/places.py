"""How many shards of a process run at a time, and whose.

Any shard may have an ordinary place. One more is for short shards, which need not wait until a long
one ends. And a few are for tenants of whom nothing runs here: whatever one tenant's shards take,
with films, servers that answer slowly or bombs, the others do not wait for it.

Where ordinary places go from one shard to the next, each of them looks whose turn it is, and no
newcomer waits. Those who look for newcomers then wait themselves: they would read every hint, for
nothing, and of small jobs that is a tenth of the work.
"""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

_FOR_NEWCOMERS = 2
# Ordinary places stand still when none of them has looked for its next shard for so many seconds.
_STILL_S = 0.1
# Between two calls of what is done while waiting.
_MEANWHILE_S = 0.5


@dataclass(frozen=True, slots=True)
class Place:
    """The right to run one shard after the other.

    `only_short` limits it to short ones, `only_newcomers` to tenants of whom no shard runs.
    """

    only_short: bool = False
    only_newcomers: bool = False

    @property
    def is_ordinary(self) -> bool:
        """Whether it serves any shard."""
        return not (self.only_short or self.only_newcomers)


class Places:
    """The places of a process, and how many of each are free. Safe to share between threads."""

    def __init__(self, ordinary: int) -> None:
        """Have so many places for any shard, and those for some beside them."""
        self._free = {
            Place(): ordinary,
            Place(only_short=True): 1,
            Place(only_newcomers=True): _FOR_NEWCOMERS,
        }
        self._looked_at = -math.inf
        self._changed = threading.Condition()

    def take(self, *besides: Place, meanwhile: Callable[[], object] = lambda: None) -> Place | None:
        """Take the first place that is free and is not `besides`; None when there is none.

        One for newcomers is given once the ordinary ones stand still. Until then it waits, and
        calls `meanwhile` now and then.
        """
        due = time.monotonic() + _MEANWHILE_S
        while True:
            with self._changed:
                place = next((each for each in self._free_ones if each not in besides), None)
                if place is None or not (place.only_newcomers and self._go_on):
                    if place is not None:
                        self._free[place] -= 1
                    return place
                self._changed.wait(_STILL_S)
            if time.monotonic() >= due:
                meanwhile()
                due = time.monotonic() + _MEANWHILE_S

    def looks(self, place: Place) -> None:
        """Note that whoever has a place looks for its next shard."""
        if place.is_ordinary:
            self._looked_at = time.monotonic()

    def leave(self, place: Place) -> None:
        """Give a place back."""
        with self._changed:
            self._free[place] += 1
            self._changed.notify_all()

    @property
    def _free_ones(self) -> list[Place]:
        return [place for place, count in self._free.items() if count]

    @property
    def _go_on(self) -> bool:
        return time.monotonic() - self._looked_at < _STILL_S


def places(ordinary: int) -> int:
    """Give how many shards may run at a time where so many have an ordinary place."""
    return ordinary + 1 + _FOR_NEWCOMERS
