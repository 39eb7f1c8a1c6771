"""The jobs of all tenants that are not over, each with why it does or does not run."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from jobs.base.database import db_now
from jobs.base.hints import IO
from jobs.base.states import JobStatus, ShardState
from jobs.oversight.explaining import LATE_S, Facts, explain
from jobs.presence.workers import living
from jobs.queue.forecast import forecast
from jobs.tables import Job, Shard, Tenant, WorkerProcess


@dataclass(frozen=True, slots=True)
class OpenJob:
    """A job that is not over; `held` are its shards that each worker has."""

    job: Job
    tenant: str
    held: dict[str, int]
    why: str


def list_open_jobs(
    session: Session, *, after: str | None, limit: int, tenant: str | None = None
) -> list[OpenJob]:
    """Give up to `limit` open jobs that came after `after`, the oldest first."""
    query = (
        select(Job, Tenant.name)
        .join(Tenant, Tenant.id == Job.tenant_id)
        .where(Job.ended_at.is_(None))
        .order_by(Job.id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(Job.id > after)
    if tenant is not None:
        query = query.where(Tenant.name == tenant)
    found = [(job, name) for job, name in session.execute(query)]
    held = _held(session, [job.id for job, _ in found])
    workers, now = living(session), session.scalar(select(db_now())) or 0.0
    return [
        OpenJob(job, name, held[job.id], explain(_facts(session, job, held[job.id], workers, now)))
        for job, name in found
    ]


def why_not_running(session: Session, job: Job) -> str:
    """Say why a job that is not over does or does not run."""
    workers, now = living(session), session.scalar(select(db_now())) or 0.0
    return explain(_facts(session, job, _held(session, [job.id])[job.id], workers, now))


def silent_holders(session: Session, job: Job) -> list[tuple[str, float]]:
    """Give the workers that hold shards of a job and miss a sign of life, and for how many seconds.

    They may only be late: nobody calls them dead yet (jobs.presence.workers).
    """
    quiet_s = db_now() - WorkerProcess.seen_at
    holders = select(Shard.owner).where(Shard.job_id == job.id, Shard.state == ShardState.LEASED)
    query = (
        select(WorkerProcess.node, quiet_s)
        .where(WorkerProcess.node.in_(holders), WorkerProcess.seen_at > 0, quiet_s > LATE_S)
        .order_by(WorkerProcess.node)
    )
    return [(node, seconds) for node, seconds in session.execute(query)]


def _held(session: Session, job_ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """Count the shards of jobs that each worker holds."""
    query = (
        select(Shard.job_id, Shard.owner, func.count())
        .where(Shard.state == ShardState.LEASED, Shard.lease_until > 0, Shard.job_id.in_(job_ids))
        .group_by(Shard.job_id, Shard.owner)
    )
    held = defaultdict[str, dict[str, int]](dict)
    for job_id, owner, count in session.execute(query):
        held[job_id][owner or "nobody"] = count
    return held


def _facts(
    session: Session,
    job: Job,
    held: dict[str, int],
    workers: Sequence[WorkerProcess],
    now: float,
) -> Facts:
    pool = [worker for worker in workers if worker.pool == job.pool]
    waits = job.status is JobStatus.IN_PROGRESS and job.pending_shards > 0 and not held
    return Facts(
        status=job.status,
        is_ending=job.ending is not None,
        pool=job.pool,
        is_prepared=(job.prepare_until or 0.0) > now,
        pending=job.pending_shards,
        held=held,
        rests_s=_rests_s(session, job.id, now) if waits else None,
        workers=len(pool),
        silent_s=min((now - worker.seen_at for worker in pool), default=0.0),
        drained=sum(worker.drained_at is not None for worker in pool),
        io_workers=sum(worker.pool == IO for worker in workers),
        before=forecast(session, job).position if waits else None,
    )


def _rests_s(session: Session, job_id: str, now: float) -> float | None:
    """Say for how long all waiting shards of a job wait out an error; None when one need not."""
    waiting = select(Shard.not_before).where(
        Shard.job_id == job_id, Shard.state == ShardState.PENDING
    )
    if session.scalar(waiting.where(Shard.not_before <= now).limit(1)) is not None:
        return None
    first = session.scalar(select(func.min(waiting.subquery().c.not_before)))
    return None if first is None else first - now
