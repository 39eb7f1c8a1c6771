"""How many shards of a process run at a time, and whose.

Any shard may have an ordinary place. One more is for short shards, which need not wait until a long
one ends. And a few are for tenants of whom nothing runs here: whatever one tenant's shards take,
with films, servers that answer slowly or bombs, the others do not wait for it.
"""

import threading
from dataclasses import dataclass

_FOR_NEWCOMERS = 2


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
    """The places of a process, and how many of each are free."""

    def __init__(self, ordinary: int) -> None:
        """Have so many places for any shard, and those for some beside them."""
        self._free = {
            Place(): threading.Semaphore(ordinary),
            Place(only_short=True): threading.Semaphore(),
            Place(only_newcomers=True): threading.Semaphore(_FOR_NEWCOMERS),
        }

    def take(self, *besides: Place) -> Place | None:
        """Take the first place that is free and is not `besides`; None when there is none."""
        for place, free in self._free.items():
            if place not in besides and free.acquire(blocking=False):
                return place
        return None

    def leave(self, place: Place) -> None:
        """Give a place back."""
        self._free[place].release()


def places(ordinary: int) -> int:
    """Give how many shards may run at a time where so many have an ordinary place."""
    return ordinary + 1 + _FOR_NEWCOMERS
