"""Where the work stands: who holds which shards, and what waits, by the leases that are held."""

from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from jobs.base.database import db_now
from jobs.base.states import OutputState, ShardState
from jobs.queue.webhooks import DELIVERED
from jobs.tables import Delivery, Job, JobOutput, Shard

_MOST_WORKERS = 200


class Standing(NamedTuple):
    """A job's shards that run and wait, and the tries of them that failed."""

    running: int
    waiting: int
    failed_tries: int


class Working(NamedTuple):
    """What one process holds: shards and their items, of how many jobs, until when at least."""

    owner: str
    pool: str
    shards: int
    items: int
    jobs: int
    lease_until: float


class Waiting(NamedTuple):
    """What waits in a pool at a priority."""

    pool: str
    priority: str
    jobs: int
    shards: int
    oldest_at: float


def standing_of(session: Session, job: Job) -> Standing:
    """Say where a job's shards stand."""
    is_held = (Shard.state == ShardState.LEASED) & (Shard.lease_until > db_now())
    running, tries = session.execute(
        select(
            func.count().filter(is_held),
            func.coalesce(func.sum(Shard.deaths + Shard.expiries + Shard.errors), 0),
        ).where(
            Shard.job_id == job.id,
            Shard.state.in_((ShardState.LEASED, ShardState.PENDING)),
        )
    ).one()
    return Standing(running, job.pending_shards, int(tries))


def handed_over(session: Session, job: Job) -> list[tuple[str, float]]:
    """Say where the results of a job went when it was over, and when, in order."""
    if job.ended_at is None:
        return []
    written = select(func.max(JobOutput.ended_at)).where(
        JobOutput.job_id == job.id, JobOutput.state == OutputState.WRITTEN
    )
    delivered = select(func.max(Delivery.ended_at)).where(
        Delivery.job_id == job.id, Delivery.state == DELIVERED
    )
    told = (("Written to the bucket", written), ("Webhook delivered", delivered))
    found = [(name, session.scalar(query)) for name, query in told]
    return sorted(((name, at) for name, at in found if at is not None), key=lambda each: each[1])


def working(session: Session, tenant_id: str | None) -> list[Working]:
    """Give the processes that hold shards of a tenant's jobs, or with None of all."""
    query = (
        select(
            Shard.owner,
            Job.pool,
            func.count(),
            func.sum(Shard.count),
            func.count(Shard.job_id.distinct()),
            func.min(Shard.lease_until),
        )
        .join(Job, Job.id == Shard.job_id)
        .where(Shard.state == ShardState.LEASED, Shard.lease_until > db_now())
        .group_by(Shard.owner, Job.pool)
        .order_by(Shard.owner)
        .limit(_MOST_WORKERS)
    )
    if tenant_id is not None:
        query = query.where(Job.tenant_id == tenant_id)
    rows = session.execute(query)
    return [
        Working(owner or "–", pool, shards, items, jobs, until or 0.0)
        for owner, pool, shards, items, jobs, until in rows
    ]


def waiting(session: Session, tenant_id: str | None) -> list[Waiting]:
    """Give what waits of a tenant's jobs, or with None of all."""
    query = (
        select(
            Job.pool,
            Job.priority,
            func.count(),
            func.sum(Job.pending_shards),
            func.min(Job.created_at),
        )
        .where(Job.pending_shards > 0)
        .group_by(Job.pool, Job.priority)
        .order_by(Job.pool, Job.priority)
    )
    if tenant_id is not None:
        query = query.where(Job.tenant_id == tenant_id)
    return [Waiting(*row) for row in session.execute(query)]
