"""When a request is sent again, and after how long: pure decisions, no I/O."""

import email.utils
import time
from collections.abc import Callable
from dataclasses import dataclass

# What a proxy or a server says that did not take the request, or not just now.
TRANSIENT_STATUSES = frozenset({429, 502, 503, 504})
# A repeated submission overtook the first one: the same key gives the first one's answer later.
STILL_RUNNING = "idempotency_in_progress"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with jitter; times in seconds."""

    attempts: int = 5
    base_s: float = 0.5
    cap_s: float = 8.0
    # A server that asks for more patience than this gets the caller's decision instead.
    longest_s: float = 60.0

    def delay(
        self, attempt: int, retry_after: float | None, rand: Callable[[], float]
    ) -> float | None:
        """Give the pause after try number `attempt` (from 1), or None to give up.

        Between half and all of the exponential step: jitter keeps callers that failed together
        from coming back together. `Retry-After` is a lower bound.
        """
        if attempt >= self.attempts:
            return None
        step = min(self.cap_s, self.base_s * 2.0 ** (attempt - 1))
        pause = step * (0.5 + rand() / 2)
        if retry_after is None:
            return pause
        return None if retry_after > self.longest_s else max(pause, retry_after)


def parse_retry_after(value: str | None, now: Callable[[], float] = time.time) -> float | None:
    """Read a `Retry-After` header (RFC 9110 section 10.2.3): seconds or a date; None if neither."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - now()
        except ValueError:
            return None
    # Not `max(0, …)` alone: a NaN would pass through every comparison.
    return seconds if seconds > 0 else 0.0
