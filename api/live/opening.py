"""What a stream begins with: what its caller has missed, or where things stand.

Each is exact. A tenant's numbers become visible in their order (jobs.events.numbering), so whoever
has read the last one, and reads the jobs after that, has everything up to it.
"""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.live import texts
from jobs.base.database import db_now
from jobs.events.glimpses import glimpse, in_order, last_number, look
from jobs.queue.reading import get_job

# A caller that has missed more is told so, and lists the jobs anew: that is cheaper.
MOST_MISSED = 10_000


@dataclass(frozen=True, slots=True)
class Opening:
    """The first text of a stream, the number of the last event in it, and whether it is all."""

    text: bytes
    number: int
    is_all: bool = False


def open_job(session: Session, tenant_id: str, job_id: str, after: int | None) -> Opening | None:
    """Begin the stream of one job; None when its caller knows its end already. Raises NotFound.

    A caller that names no event is told where the job stands.
    """
    last = last_number(session, tenant_id)
    now = session.scalar(select(db_now())) or 0.0
    job = glimpse(get_job(session, tenant_id, job_id), now)
    # Between the two looks more may have happened, to this job too.
    number = max(last, job.last_event)
    # A number that was never given is of another database: one that was restored since.
    if after is None or after > last:
        return Opening(texts.opening(0) + texts.stands(job), number, job.is_over)
    told = b"".join(texts.happened(event, job) for event in job.events_after(after))
    if job.is_over and not told:
        return None
    return Opening(texts.opening(after) + told, number, job.is_over)


def open_tenant(session: Session, tenant_id: str, after: int | None) -> Opening:
    """Begin the stream of all jobs of a tenant; without an event to go on from, from now."""
    last = last_number(session, tenant_id)
    if after is None:
        return Opening(texts.opening(last), last)
    if not last - MOST_MISSED <= after <= last:
        now = session.scalar(select(db_now())) or 0.0
        return Opening(texts.opening(last) + texts.reset(last, now), last)
    found = in_order(look(session, {tenant_id: after}), after)
    told = b"".join(texts.happened(event, job) for event, job in found)
    number = max(last, *(event.number for event, _ in found), after)
    return Opening(texts.opening(after) + told, number)
