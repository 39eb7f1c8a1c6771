"""Asking for a job again and again until it is over, as gently as the server lets us.

The server is asked to hold its answer (`Prefer: wait`) and to say nothing new with 304 (`ETag`).
Where it does neither, a pause between the questions keeps this from being a busy loop.
"""

import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from pixelmill.client.records import Job
from pixelmill.wire.errors import ConnectionFailed, InvalidInput, ServerError, WaitTimeout
from pixelmill.wire.retrying import parse_retry_after
from pixelmill.wire.transport import Call, Transport, json_object

Followed = TypeVar("Followed", bound=Job)
Progress = Callable[[Job], None]

# How long the server may hold one answer: short where somebody watches, long where nobody does.
WATCHED_HOLD_S = 2.0
HOLD_S = 30.0
# An answer that took at least so long was held: the next question may follow at once.
_HELD_S = 1.0
# The pause after an answer that was not held: short while things move, else what the server says.
_MOVING_PAUSE_S = 0.5
_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 5.0
# A server may be away for a restart without ending a wait of hours.
_OUTAGE_S = 180.0


class Poller(Generic[Followed]):
    """Follows one job, or training; `job` is its last known state, as `read` reads it."""

    def __init__(
        self,
        transport: Transport,
        path: str,
        read: Callable[[dict[str, Any]], Followed],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._transport = transport
        self._path = path
        self._read = read
        self._clock = clock
        self._sleep = sleep
        self._etag: str | None = None
        self._pause_s = 0.0
        self._heard_at = clock()
        self.job = self._ask(None)
        # The first question was not asked to be held, so the second need not wait.
        self._pause_s = 0.0

    def next(self, hold_s: float) -> Followed:
        """Give the job's next state; takes up to `hold_s` where nothing changes."""
        pause = min(self._pause_s, hold_s)
        if pause:
            self._sleep(pause)
        asked_at = self._clock()
        try:
            self.job = self._ask(max(0.0, hold_s - pause))
        except (ConnectionFailed, ServerError):
            if self._clock() - self._heard_at > _OUTAGE_S:
                raise
            self._pause_s = _PAUSE_S
            return self.job
        self._heard_at = self._clock()
        if self._heard_at - asked_at >= _HELD_S:
            self._pause_s = 0.0
        return self.job

    def _ask(self, hold_s: float | None) -> Followed:
        headers = {"If-None-Match": self._etag} if self._etag else {}
        response = self._transport.send(
            Call("GET", self._path, headers=headers, repeatable=True, hold_s=hold_s)
        )
        if response.status_code != 304:
            self._etag = response.headers.get("ETag")
            self._pause_s = _MOVING_PAUSE_S
            return self._read(json_object(response))
        asked = parse_retry_after(response.headers.get("Retry-After"))
        self._pause_s = min(_PAUSE_S if asked is None else asked, _LONGEST_PAUSE_S)
        self._pause_s = max(self._pause_s, _MOVING_PAUSE_S)
        return self.job


def wait_until_over(
    poller: Poller[Followed],
    timeout_s: float | None,
    on_progress: Callable[[Followed], None] | None,
    clock: Callable[[], float] = time.monotonic,
) -> Followed:
    """Give the job once it is terminal; raises WaitTimeout after `timeout_s` seconds."""
    began_at = clock()
    while True:
        if on_progress:
            on_progress(poller.job)
        if poller.job.is_terminal:
            return poller.job
        is_watched = on_progress is not None
        poller.next(next_hold(poller.job, timeout_s, clock() - began_at, is_watched=is_watched))


def wait_until_written(
    poller: Poller[Job], timeout_s: float | None, clock: Callable[[], float] = time.monotonic
) -> Job:
    """Give the job once its output is written or has failed; raises WaitTimeout, InvalidInput."""
    began_at = clock()
    while True:
        job = poller.job
        if job.output is None:
            raise InvalidInput(f"job {job.id} writes no output: it was submitted without one")
        if job.output["status"] in ("written", "failed"):
            return job
        # Nothing holds an answer for an output: what is over is answered at once.
        hold_s = WATCHED_HOLD_S if job.is_terminal else HOLD_S
        if timeout_s is not None:
            hold_s = min(hold_s, next_hold(job, timeout_s, clock() - began_at, is_watched=True))
        poller.next(hold_s)


def next_hold(job: Job, timeout_s: float | None, waited_s: float, *, is_watched: bool) -> float:
    """Give for how long the server may hold the next answer; raises WaitTimeout when it is time."""
    hold_s = WATCHED_HOLD_S if is_watched else HOLD_S
    if timeout_s is None:
        return hold_s
    if waited_s >= timeout_s:
        raise WaitTimeout(job, timeout_s)
    return min(hold_s, timeout_s - waited_s)
