"""What a caller is told of a job that is not over: how many go before it, and how long it takes."""

from typing import NamedTuple

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from jobs.states import JobStatus, ShardState
from jobs.tables import Job, Shard, Tenant
from jobs.turns import PRIORITY_WEIGHTS

# A tenant's last jobs: those of the same version tell the pace of one that has not begun.
_RECENT = 200


class Forecast(NamedTuple):
    """Jobs that would be served before this one, and seconds until its end; None if unknown."""

    position: int | None
    eta_s: float | None


def forecast(session: Session, job: Job, now: float) -> Forecast:
    """Say where a job stands; `now` is the database's time."""
    return Forecast(_position(session, job), _eta_s(session, job, now))


def _eta_s(session: Session, job: Job, now: float) -> float | None:
    """Take the job's own throughput, else the device time of jobs like it and its part of the pool.

    The former is measured from the start of the job, waiting included.
    """
    if job.status is not JobStatus.IN_PROGRESS or job.in_progress_at is None:
        return None
    left = job.request_counts["processing"]
    done = job.completed + job.failed
    if done:
        return left * max(now - job.in_progress_at, 0.001) / done
    item_s = _recent_item_s(session, job)
    if item_s is None:
        return None
    return left * item_s / (_part(session, job) * _workers_of(session, job.pool))


def _recent_item_s(session: Session, job: Job) -> float | None:
    """Give the device seconds of an item in the last jobs of this version; None without any."""
    last = select(Job.id).where(Job.tenant_id == job.tenant_id).order_by(Job.id.desc())
    seconds, items = session.execute(
        select(func.sum(Job.device_s), func.sum(Job.completed + Job.failed)).where(
            Job.id.in_(last.limit(_RECENT)),
            Job.model_name == job.model_name,
            Job.model_version == job.model_version,
            Job.status == JobStatus.COMPLETED,
        )
    ).one()
    return float(seconds or 0) / float(items) if items else None


def _workers_of(session: Session, pool: str) -> int:
    """Count the processes that run shards of a pool at this moment; one is to be expected."""
    at_it = (
        select(func.count(Shard.owner.distinct()))
        .join(Job, Job.id == Shard.job_id)
        .where(Shard.state == ShardState.LEASED, Shard.lease_until > 0, Job.pool == pool)
    )
    return max(1, session.scalar(at_it) or 0)


def _part(session: Session, job: Job) -> float:
    """Give the part of its pool that a job has while all who wait go on waiting: 0 to 1."""
    waiting = (Job.pool == job.pool) & (Job.pending_shards > 0)
    weight = case(PRIORITY_WEIGHTS, value=Job.priority)
    mine = select(func.sum(weight)).where(waiting, Job.tenant_id == job.tenant_id, Job.id != job.id)
    others = select(func.sum(Tenant.weight)).where(
        Tenant.id != job.tenant_id, Tenant.id.in_(select(Job.tenant_id).where(waiting))
    )
    own_weight = PRIORITY_WEIGHTS[job.priority]
    tenant_weight = session.get_one(Tenant, job.tenant_id).weight
    of_tenant = own_weight / (own_weight + float(session.scalar(mine) or 0))
    return of_tenant * tenant_weight / (tenant_weight + float(session.scalar(others) or 0))


def _position(session: Session, job: Job) -> int | None:
    """Count the jobs that would be served before this one; None when it is not waiting."""
    if job.status is not JobStatus.IN_PROGRESS or job.pending_shards == 0:
        return None
    share = select(Tenant.share).where(Tenant.id == job.tenant_id).scalar_subquery()
    ahead = (
        select(func.count())
        .select_from(Job)
        .join(Tenant, Tenant.id == Job.tenant_id)
        .where(
            Job.pool == job.pool,
            Job.pending_shards > 0,
            Job.id != job.id,
            (Tenant.share < share) | ((Job.tenant_id == job.tenant_id) & (Job.share < job.share)),
        )
    )
    return session.scalar(ahead) or 0
