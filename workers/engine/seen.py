"""A shard as operators see it, from its claim to its end: how long it waited, and its trace."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from jobs.base.bootstrap import Ground
from jobs.metrics import metrics
from jobs.queue.scheduling import ShardLease
from jobs.tables import Job, Shard
from workers.engine.timeline import Timeline

# Of a job's items, those whose shards are in its trace; and of the others, those that are tried
# again. A trace of a million images is of no use to anybody, and no collector takes it.
TRACED_ITEMS = 10_000


@contextmanager
def seen(ground: Ground, lease: ShardLease) -> Iterator[Timeline]:
    """Tell of a shard that was claimed just now; gives where its stages are noted."""
    claimed_at = time.time()
    if lease.is_first_of_job:
        metrics.STAGE_SECONDS.labels("queue").observe(lease.ready_s)
    if lease.traceparent is None or (lease.first >= TRACED_ITEMS and lease.attempts == 1):
        yield Timeline()
        return
    if lease.is_first_of_job:
        waited = ground.traces.begin(
            "queue", lease.traceparent, began_at=claimed_at - lease.ready_s
        )
        waited.end(at=claimed_at)
    with ground.traces.begin("shard", lease.traceparent, _said_of(lease)) as span:
        if span.context is None:
            yield Timeline()
            return
        timeline = Timeline(span.context)
        try:
            yield timeline
        finally:
            timeline.tell(span)
    # What a database that is away cannot tell is missing in the trace, and holds up nobody.
    with suppress(SQLAlchemyError):
        _tell_end(ground, lease)


def _said_of(lease: ShardLease) -> dict[str, str | int]:
    return {
        "pixelmill.job": lease.job_id,
        "pixelmill.shard": lease.shard_id,
        "pixelmill.fence": lease.fence,
        "pixelmill.attempt": lease.attempts,
        "pixelmill.first": lease.first,
        "pixelmill.items": lease.count,
    }


def _tell_end(ground: Ground, lease: ShardLease) -> None:
    """Tell of the whole job, if it was this shard's commit that closed it."""
    with ground.database.read() as session:
        job = session.scalar(
            select(Job)
            .join(Shard, Shard.job_id == Job.id)
            .where(
                Shard.id == lease.shard_id,
                Shard.commit_number == Job.commits,
                Job.ended_at.is_not(None),
            )
        )
    if job is None or job.ended_at is None:
        return
    said: dict[str, str | int] = {"pixelmill.job": job.id, "pixelmill.status": job.status.value}
    said |= {f"pixelmill.{name}": count for name, count in job.request_counts.items()}
    span = ground.traces.begin("job", lease.traceparent, said, began_at=job.created_at)
    span.end(at=job.ended_at)
