"""`Prefer: wait=N` (RFC 7240): the answer is held until the job is over, or for N seconds."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import TypeVar

from flask import current_app, request

from api.current import ground, tenant_id
from api.gunicorn_conf import threads
from jobs.reading import get_job
from jobs.states import TERMINAL
from jobs.tables import Job

T = TypeVar("T")

LONGEST_S = 60

# Answers that one process holds at once: two thirds of its threads (api.gunicorn_conf).
MOST_HELD = max(1, threads * 2 // 3)
HELD = "pixelmill.held"

# Between two looks at the database lies a share of the time waited so far: who waits for long may
# hear of the end a little later.
_LATEST_SHARE = 0.04
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

    def look() -> Job:
        with ground().database.read() as session:
            return get_job(session, tenant_id(), job_id)

    return hold_until(look, lambda job: job.status in TERMINAL, wait)


def hold_until(look: Callable[[], T], is_over: Callable[[T], bool], wait: Wait) -> tuple[T, Wait]:
    """Give what a look finds once it is over or the wait is, and the wait that was granted.

    A held answer keeps a thread. When too many are held already this one is given at once, which
    RFC 7240 allows: otherwise a few dozen patient callers would shut everybody else out.
    """
    held: BoundedSemaphore = current_app.extensions[HELD]
    if wait.seconds and not held.acquire(blocking=False):
        return look(), Wait(0, asked=False)
    try:
        return _look_until(look, is_over, wait.seconds), wait
    finally:
        if wait.seconds:
            held.release()


def _look_until(look: Callable[[], T], is_over: Callable[[T], bool], seconds: float) -> T:
    began_at = time.monotonic()
    while True:
        found = look()
        waited = time.monotonic() - began_at
        if is_over(found) or waited >= seconds:
            return found
        pause = min(max(waited * _LATEST_SHARE, _SHORTEST_PAUSE_S), _LONGEST_PAUSE_S)
        time.sleep(min(pause, seconds - waited))
