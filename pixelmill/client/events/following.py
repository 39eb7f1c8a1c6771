"""Waiting for a job before somebody's eyes: by its events, and by asking where there are none."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from pixelmill.client.events.stream import SILENT_S, Event, EventStream
from pixelmill.client.records import Job
from pixelmill.client.waiting import Poller, Progress, wait_until_over
from pixelmill.wire.errors import ApiError, ConnectionFailed, UnexpectedAnswer, WaitTimeout


def watch_until_over(
    poller: Poller[Job],
    stream: EventStream,
    timeout_s: float | None,
    on_progress: Progress,
    clock: Callable[[], float] = time.monotonic,
) -> Job:
    """Give the job once it is terminal, telling of it meanwhile; raises WaitTimeout.

    A server without streams, or a proxy that holds them back, is asked again and again instead. So
    is one shortly before the time is over: a stream is silent for longer than that.
    """
    until = None if timeout_s is None else clock() + timeout_s
    if not poller.job.is_terminal and not _is_near(until, clock):
        # Whatever is the matter, whoever asks for the job is told what.
        with suppress(ApiError, ConnectionFailed, UnexpectedAnswer):
            _follow(poller, stream, on_progress, lambda: _is_near(until, clock))
    try:
        left_s = None if until is None else max(0.0, until - clock())
        return wait_until_over(poller, left_s, on_progress, clock)
    except WaitTimeout as err:
        raise WaitTimeout(err.job, timeout_s or 0.0) from None


def _follow(
    poller: Poller[Job], stream: EventStream, on_progress: Progress, is_near: Callable[[], bool]
) -> None:
    """Tell of a job until it is over, or the end of the wait is near."""
    for event in stream:
        if event is not None and event.is_end:
            # The end as the server tells it, with all that events leave out.
            poller.next(0.0)
            return
        if event is not None:
            poller.job = _as_told(poller.job, event)
        else:
            # Nothing happens to it: it may have moved on in the queue.
            poller.next(0.0)
        on_progress(poller.job)
        if is_near():
            return


def _as_told(job: Job, event: Event) -> Job:
    """Give a job as an event tells of it."""
    data = event.raw.get("data") or {}
    raw = {**job.raw, **{name: data[name] for name in ("status", "request_counts") if name in data}}
    is_progress = event.type == "job.progress"
    queue = replace(job.queue, eta_seconds=event.eta_seconds) if is_progress else job.queue
    return replace(
        job,
        status=event.status or job.status,
        request_counts=event.request_counts,
        queue=queue,
        raw=raw,
    )


def _is_near(until: float | None, clock: Callable[[], float]) -> bool:
    return until is not None and until - clock() <= SILENT_S
