"""Events as text: `event`, `id` and `data`, as the HTML standard has them for EventSource.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from typing import Any

from jobs.base.states import JobStatus
from jobs.events.glimpses import Event, Glimpse
from jobs.events.numbering import Moment
from jobs.queue.forecast import pace
from jobs.queue.webhooks import body_of

# A comment: it keeps proxies from taking the stream for dead, and tells us of a peer that is.
HEARTBEAT = b":\n\n"

# When a peer whose stream has ended comes again, in milliseconds.
_RETRY_MS = 2000

# A job's status after each event that leaves it no choice.
_STATUS = {Moment.CREATED: JobStatus.VALIDATING, Moment.BEGUN: JobStatus.IN_PROGRESS}


def opening(number: int) -> bytes:
    """Begin a stream: when to come again, and after which event, before there is any."""
    return f"retry: {_RETRY_MS}\nid: {number}\n\n".encode()


def reset(number: int, now: float) -> bytes:
    """Say that what lies behind a position is not told any more."""
    return _text("reset", body_of("reset", None, now), number)


def happened(event: Event, job: Glimpse) -> bytes:
    """Tell of something that happened."""
    status = _STATUS.get(event.moment, job.status)
    return _told(event, job, status)


def stands(job: Glimpse) -> bytes:
    """Tell where a job stands now, by the last thing that happened to it."""
    last = job.events[-1] if job.events else _unnumbered(job)
    return _told(last, job, job.status)


def progress(job: Glimpse) -> bytes:
    """Tell how far a job is."""
    counts = job.counts
    done = counts["completed"] + counts["failed"]
    rate = pace(done, job.in_progress_at, job.now) if job.in_progress_at is not None else 0.0
    data = {
        **_data(job, job.status),
        "rate": round(rate, 3) if rate else None,
        "eta_seconds": round(counts["processing"] / rate) if rate else None,
    }
    at = job.last_progress_at or job.now
    return _text("job.progress", body_of("job.progress", data, at))


def _told(event: Event, job: Glimpse, status: JobStatus) -> bytes:
    word = {
        Moment.CREATED: "created",
        Moment.BEGUN: "in_progress",
        Moment.ENDED: str(job.status),
        Moment.DELETED: "deleted",
    }[event.moment]
    body = body_of(f"job.{word}", _data(job, status), event.at)
    return _text(f"job.{word}", body, event.number)


def _data(job: Glimpse, status: JobStatus) -> dict[str, Any]:
    outcome = job.outcome if status is job.status else None
    return {"id": job.id, "status": status, "outcome": outcome, "request_counts": job.counts}


def _text(event: str, body: str, number: int | None = None) -> bytes:
    """Write an event; JSON as `json.dumps` writes it has no line's end."""
    place = "" if number is None else f"id: {number}\n"
    return f"event: {event}\n{place}data: {body}\n\n".encode()


def _unnumbered(job: Glimpse) -> Event:
    """Give the last event of a job that was there before events had numbers."""
    if job.is_over:
        return Event(0, Moment.ENDED, job.last_progress_at or job.now)
    if job.in_progress_at is not None:
        return Event(0, Moment.BEGUN, job.in_progress_at)
    return Event(0, Moment.CREATED, job.now)
