"""`Prefer: wait=N` (RFC 7240): the answer is held until the job is over, or for N seconds.

Who waits looks whenever the job is said to have moved on (api.web.listener), and otherwise every
now and then. A view gives a `Held`, and whoever called it waits: api.front without a thread, or
`hold_here`.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import BoundedSemaphore

from flask import Response, current_app, g, request

from api.current import ground, tenant_id
from api.web.listener import listener
from jobs.queue.reading import get_job, is_over
from jobs.tables import Job

# Less than the minute after which a proxy gives an answer up (nginx: proxy_read_timeout 60s).
LONGEST_S = 50

# Answers that one process holds at once: each takes some kilobytes, and a look now and then.
MOST_HELD = 1000
# All who wait in a process look this often together, at most: looks each second.
_MOST_LOOKS = 100
HELD = "pixelmill.held"

# Between two looks at the database, where moves are heard: the message may be lost.
_HEARING_PAUSE_S = 1.0
# And where they are not, a share of the time waited so far: who waits for long may hear of the end
# a little later.
_LATEST_SHARE = 0.3
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.005, 0.1

_WAIT = re.compile(r'\bwait\s*=\s*"?(\d{1,9})"?(?=\s*(?:[,;]|$))', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Wait:
    """How long the caller wants an answer to be held; `asked` is False for our own default."""

    seconds: int
    asked: bool

    @property
    def headers(self) -> dict[str, str]:
        """Say that the preference was honoured."""
        return {"Preference-Applied": f"wait={self.seconds}"} if self.asked else {}


# Of an answer that finds no place.
NOT_HELD = Wait(0, asked=False)


def wanted_wait(default: int = 0) -> Wait:
    """Read the preference; one that makes no sense is ignored, as RFC 7240 says."""
    for value in request.headers.getlist("Prefer"):
        match = _WAIT.search(value)
        if match:
            return Wait(min(int(match[1]), LONGEST_S), asked=True)
    return Wait(default, asked=False)


class Held(Response):
    """An answer that is still to come: once `has_ended`, or the wait is over.

    `what` is what its moves are told by (jobs.base.hints).
    """

    def __init__(
        self,
        has_ended: Callable[[], bool],
        wait: Wait,
        what: str,
        answer: Callable[[Wait], Response],
    ) -> None:
        super().__init__()
        self.has_ended, self.wait, self.what, self.give = has_ended, wait, what, answer


def hold(job_id: str, wait: Wait, answer: Callable[[Job, Wait], Response]) -> Response:
    """Answer with a job once it is over or the wait is; raises NotFound.

    `answer` is given the job as it is then, and the wait that was granted.
    """
    database, tenant = ground().database, tenant_id()

    def give(granted: Wait) -> Response:
        with database.read() as session:
            job = get_job(session, tenant, job_id)
        return answer(job, granted)

    return hold_until(lambda: is_over(database, tenant, job_id), wait, job_id, give)


def hold_until(
    has_ended: Callable[[], bool], wait: Wait, what: str, answer: Callable[[Wait], Response]
) -> Response:
    """Answer once something is over or the wait is."""
    if not wait.seconds:
        return answer(wait)
    # Its time is left out of the figures.
    g.was_held = True
    return Held(has_ended, wait, what, answer)


def hold_here(held: Held) -> Response:
    """Wait for an answer in this thread."""
    with place_of(current_app.extensions[HELD]) as is_free:
        if not is_free:
            return held.give(NOT_HELD)
        _look_until(held.has_ended, held.wait.seconds, held.what)
    return held.give(held.wait)


@contextmanager
def place_of(places: BoundedSemaphore) -> Iterator[bool]:
    """Take a place among the held answers for the block, and say whether there was one.

    Who finds none is answered at once, which RFC 7240 allows.
    """
    is_free = places.acquire(blocking=False)
    try:
        yield is_free
    finally:
        if is_free:
            places.release()


def pause_s(waited_s: float, hears: bool, held: int) -> float:
    """Say how long to wait for a word before the next look, of as many as are `held`."""
    pause = _HEARING_PAUSE_S
    if not hears:
        pause = min(max(waited_s * _LATEST_SHARE, _SHORTEST_PAUSE_S), _LONGEST_PAUSE_S)
    return max(pause, held / _MOST_LOOKS)


def _look_until(has_ended: Callable[[], bool], seconds: float, what: str) -> None:
    began_at = time.monotonic()
    with listener().listening(what) as moved:
        while not has_ended() and (waited := time.monotonic() - began_at) < seconds:
            moved.wait(min(pause_s(waited, listener().hears, 1), seconds - waited))
            # Before the next look: what is told during it is looked at once more.
            moved.clear()
