"""`Prefer: wait=N` (RFC 7240): the answer is held until the job is over, or for N seconds.

Who waits looks whenever the job is said to have moved on (api.listener), and otherwise every now
and then.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import BoundedSemaphore

from flask import current_app, request

from api.current import ground, tenant_id
from api.gunicorn_conf import threads
from api.listener import listener
from jobs.reading import get_job, is_over
from jobs.tables import Job

LONGEST_S = 60

# Answers that one process holds at once: two thirds of its threads (api.gunicorn_conf).
MOST_HELD = max(1, threads * 2 // 3)
HELD = "pixelmill.held"

# Between two looks at the database, where moves are heard: the message may be lost.
_HEARING_PAUSE_S = 1.0
# And where they are not, a share of the time waited so far: who waits for long may hear of the end
# a little later.
_LATEST_SHARE = 0.3
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.005, 0.1

_WAIT = re.compile(r'\bwait\s*=\s*"?(\d{1,9})"?(?=\s*(?:[,;]|$))')


@dataclass(frozen=True, slots=True)
class Wait:
    """How long the caller wants an answer to be held; `asked` is False for our own default."""

    seconds: int
    asked: bool

    @property
    def headers(self) -> dict[str, str]:
        """Say that the preference was honoured."""
        return {"Preference-Applied": f"wait={self.seconds}"} if self.asked else {}


def wanted_wait(default: int = 0) -> Wait:
    """Read the preference; one that makes no sense is ignored, as RFC 7240 says."""
    for value in request.headers.getlist("Prefer"):
        match = _WAIT.search(value)
        if match:
            return Wait(min(int(match[1]), LONGEST_S), asked=True)
    return Wait(default, asked=False)


def hold(job_id: str, wait: Wait) -> tuple[Job, Wait]:
    """Give a job once it is over or the wait is, and the wait that was granted; raises NotFound."""
    database, tenant = ground().database, tenant_id()
    granted = hold_until(lambda: is_over(database, tenant, job_id), wait, job_id)
    with database.read() as session:
        return get_job(session, tenant, job_id), granted


def hold_until(has_ended: Callable[[], bool], wait: Wait, what: str) -> Wait:
    """Return once something is over or the wait is; gives the wait that was granted.

    `what` is what its moves are told by (jobs.hints).

    A held answer keeps a thread. When too many are held already this one is given at once, which
    RFC 7240 allows: otherwise a few dozen patient callers would shut everybody else out.
    """
    if not wait.seconds:
        return wait
    held: BoundedSemaphore = current_app.extensions[HELD]
    if not held.acquire(blocking=False):
        return Wait(0, asked=False)
    try:
        _look_until(has_ended, wait.seconds, what)
        return wait
    finally:
        held.release()


def _look_until(has_ended: Callable[[], bool], seconds: float, what: str) -> None:
    began_at = time.monotonic()
    with listener().listening(what) as moved:
        while not has_ended() and (waited := time.monotonic() - began_at) < seconds:
            pause = _HEARING_PAUSE_S
            if not listener().hears:
                pause = min(max(waited * _LATEST_SHARE, _SHORTEST_PAUSE_S), _LONGEST_PAUSE_S)
            moved.wait(min(pause, seconds - waited))
            # Before the next look: what is told during it is looked at once more.
            moved.clear()
