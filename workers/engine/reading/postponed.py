"""URLs whose server could not give them just then, and when each is asked again.

They wait until the rest of their shard is through, and hold nothing meanwhile: no thread of the
fetchers, no bytes, no place in a batch.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from jobs.results.segments import ItemError
from workers.egress import EgressError
from workers.engine.holding.hold import Hold

# Who asks for more patience is left to the caller, who can run the item again then.
LONGEST_WAIT_S = 30.0
# And after so long a shard waits for none of its items any more.
LONGEST_SHARD_S = 120.0
# How often who waits says that it is no stall.
_BEAT_S = 0.5
# Up to so much earlier or later, so that items that failed together do not come back together.
_JITTER = 0.25


@dataclass(frozen=True, slots=True)
class NotNow(ItemError):
    """A server answered that it could not just then: 429 or 5xx; `wait_s` is what it asked for."""

    wait_s: float = 0.0


def of_url(err: EgressError) -> ItemError:
    """Give the item's error of a URL that was not fetched."""
    if err.retryable and err.status is not None:
        return NotNow(err.code, str(err), retryable=True, wait_s=err.retry_after_s)
    return ItemError(err.code, str(err), err.retryable)


class Postponed:
    """The items of one shard that are asked for again; one thread uses it."""

    def __init__(
        self,
        pauses_s: Sequence[float],
        clock: Callable[[], float] = time.monotonic,
        random_of: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """`pauses_s` are the least pauses before the second try and each further one."""
        self._pauses_s, self._clock, self._random_of = pauses_s, clock, random_of
        self._tries: dict[int, int] = {}
        self._due: dict[int, float] = {}
        self._until: float | None = None

    @property
    def is_spent(self) -> bool:
        """Whether the shard has waited, and asked again, for long enough."""
        return self._until is not None and self._clock() > self._until

    def note(self, index: int, error: ItemError) -> ItemError:
        """Take up an item that failed, if it is worth another try; gives its error till then."""
        if not isinstance(error, NotNow):
            return error
        if self._until is None:
            self._until = self._clock() + LONGEST_SHARD_S
        tries = self._tries[index] = self._tries.get(index, 0) + 1
        if error.wait_s > LONGEST_WAIT_S:
            words = f"It asks not to be called for {error.wait_s:.0f} s."
        elif tries <= len(self._pauses_s) and not self.is_spent:
            pause_s = self._pauses_s[tries - 1] * self._random_of(1 - _JITTER, 1 + _JITTER)
            self._due[index] = self._clock() + max(pause_s, error.wait_s)
            return error
        else:
            words = f"It was asked {tries} times." if tries > 1 else ""
        return replace(error, message=f"{error.message} {words}".rstrip())

    def wait(self, hold: Hold) -> list[int]:
        """Wait until some are due and give them, in order; none when none wait, or once stopped.

        And none after two minutes: their rows are those of their last tries then.
        """
        while self._due and not hold.stopped.is_set() and not self.is_spent:
            now = self._clock()
            due = sorted(index for index, at in self._due.items() if at <= now)
            if due:
                for index in due:
                    del self._due[index]
                return due
            hold.moved()
            hold.stopped.wait(min(_BEAT_S, min(self._due.values()) - now))
        return []
