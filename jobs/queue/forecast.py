"""What a caller is told of a job that is not over: how many go before it, and how long it takes.

No time is promised to what waits where no worker of its pool lives, or all are drained.
"""

from typing import Any, NamedTuple

from sqlalchemy import Float, bindparam, exists, func, select
from sqlalchemy.orm import Session

from jobs.base.database import db_now
from jobs.base.states import JobStatus, ShardState
from jobs.presence.workers import is_alive
from jobs.queue.turns import PRIORITY_WEIGHTS, priority_weight
from jobs.tables import Job, Table, WorkerProcess

# A tenant's last jobs: those of the same version tell the pace of one that has not begun.
_RECENT = 200

_jobs, _shards, _tenants = (Table.metadata.tables[name] for name in ("jobs", "shards", "tenants"))

# Built once, like those of jobs.queue.turns: whoever polls asks them.
_is_own = _jobs.c.tenant_id == bindparam("of_tenant")
_is_another = _jobs.c.id != bindparam("this_job")
_waits = (_jobs.c.pool == bindparam("in_pool")) & (_jobs.c.pending_shards > 0)

_NOW = select(db_now())
_last = select(_jobs.c.id).where(_is_own).order_by(_jobs.c.id.desc()).limit(_RECENT)
_RECENT_JOBS = select(
    func.sum(_jobs.c.device_s), func.sum(_jobs.c.completed + _jobs.c.failed)
).where(
    _jobs.c.id.in_(_last),
    _jobs.c.model_name == bindparam("of_model"),
    _jobs.c.model_version == bindparam("of_version"),
    _jobs.c.status == JobStatus.COMPLETED,
)
_WORKERS = (
    select(func.count(_shards.c.owner.distinct()))
    .join(_jobs, _jobs.c.id == _shards.c.job_id)
    .where(
        _shards.c.state == ShardState.LEASED,
        _shards.c.lease_until > 0,
        _jobs.c.pool == bindparam("in_pool"),
    )
)
# Who was drained claims nothing, and who is silent may be dead.
_SERVED = select(
    exists().where(
        WorkerProcess.pool == bindparam("in_pool"), WorkerProcess.drained_at.is_(None), is_alive()
    )
)
_WEIGHTS = select(
    select(_tenants.c.weight)
    .where(_tenants.c.id == bindparam("of_tenant"))
    .scalar_subquery()
    .label("tenant"),
    select(func.sum(priority_weight))
    .where(_waits, _is_own, _is_another)
    .scalar_subquery()
    .label("mine"),
    select(func.sum(_tenants.c.weight))
    .where(
        _tenants.c.id != bindparam("of_tenant"),
        _tenants.c.id.in_(select(_jobs.c.tenant_id).where(_waits)),
    )
    .scalar_subquery()
    .label("others"),
)
_tenants_share = (
    select(_tenants.c.share).where(_tenants.c.id == bindparam("of_tenant")).scalar_subquery()
)
_AHEAD = (
    select(func.count())
    .select_from(_jobs)
    .join(_tenants, _tenants.c.id == _jobs.c.tenant_id)
    .where(
        _waits,
        _is_another,
        (_tenants.c.share < _tenants_share)
        | (_is_own & (_jobs.c.share < bindparam("share", type_=Float()))),
    )
)


class Forecast(NamedTuple):
    """Jobs that would be served before this one, and seconds until its end; None if unknown."""

    position: int | None
    eta_s: float | None


class Prospect(NamedTuple):
    """A job that nobody has submitted yet."""

    tenant_id: str
    pool: str
    model_name: str
    model_version: int
    priority: str


class Cost(NamedTuple):
    """Seconds of the device, and until the end, waiting included; None where nothing like it ran.

    Both follow from the device time of the tenant's last jobs of the same version.
    """

    device_s: float | None
    eta_s: float | None


def forecast(session: Session, job: Job) -> Forecast:
    """Say where a job stands; of one that is over nothing is asked."""
    return Forecast(_position(session, job), _eta_s(session, job))


def pace(done: int, began_at: float, now: float) -> float:
    """Give the items a second that a job has had since its start, waiting included."""
    return done / max(now - began_at, 0.001)


def _eta_s(session: Session, job: Job) -> float | None:
    """Take the job's own throughput, else the device time of jobs like it and its part of the pool.

    The former is measured from the start of the job, waiting included.
    """
    if job.status is not JobStatus.IN_PROGRESS or job.in_progress_at is None:
        return None
    if job.pending_shards and not _is_served(session, job.pool):
        return None
    left = job.request_counts["processing"]
    done = job.completed + job.failed
    if done:
        now = session.connection().scalar(_NOW) or 0.0
        return left / pace(done, job.in_progress_at, now)
    return _expected(session, _bound(job), job.priority, left).eta_s


def expected(session: Session, prospect: Prospect, items: int) -> Cost:
    """Say what a job of so many items would take, if it were submitted now."""
    bound = {
        "this_job": "",
        "of_tenant": prospect.tenant_id,
        "in_pool": prospect.pool,
        "of_model": prospect.model_name,
        "of_version": prospect.model_version,
    }
    return _expected(session, bound, prospect.priority, items)


def _expected(session: Session, bound: dict[str, Any], priority: str, items: int) -> Cost:
    item_s = _recent_item_s(session, bound)
    if item_s is None:
        return Cost(None, None)
    device_s = items * item_s
    part, workers = _part(session, bound, priority), _workers_of(session, bound)
    return Cost(device_s, device_s / (part * workers))


def _recent_item_s(session: Session, bound: dict[str, Any]) -> float | None:
    """Give the device seconds of an item in the last jobs of this version; None without any."""
    seconds, items = session.connection().execute(_RECENT_JOBS, bound).one()
    return float(seconds or 0) / float(items) if items else None


def _is_served(session: Session, pool: str) -> bool:
    """Say whether somebody takes shards of a pool: what waits for nobody has no time to be told."""
    return bool(session.connection().scalar(_SERVED, {"in_pool": pool}))


def _workers_of(session: Session, bound: dict[str, Any]) -> int:
    """Count the processes that run shards of the job's pool now; one is to be expected."""
    return max(1, session.connection().scalar(_WORKERS, bound) or 0)


def _part(session: Session, bound: dict[str, Any], priority: str) -> float:
    """Give the part of its pool that a job has while all who wait go on waiting: 0 to 1."""
    weights = session.connection().execute(_WEIGHTS, bound).one()
    mine, tenants = PRIORITY_WEIGHTS[priority], float(weights.tenant)
    of_tenant = mine / (mine + float(weights.mine or 0))
    return of_tenant * tenants / (tenants + float(weights.others or 0))


def _position(session: Session, job: Job) -> int | None:
    """Count the jobs that would be served before this one; None when it is not waiting."""
    if job.status is not JobStatus.IN_PROGRESS or job.pending_shards == 0:
        return None
    return session.connection().scalar(_AHEAD, {**_bound(job), "share": job.share}) or 0


def _bound(job: Job) -> dict[str, Any]:
    """Give a job as the parameters of the statements above."""
    return {
        "this_job": job.id,
        "of_tenant": job.tenant_id,
        "in_pool": job.pool,
        "of_model": job.model_name,
        "of_version": job.model_version,
    }
