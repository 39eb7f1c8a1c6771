"""Which shard runs next: fair shares by stride scheduling.

Waldspurger and Weihl, "Stride Scheduling" (1995): everyone has a share, the device seconds that
they used over their weight; who has the smallest is served next. First among tenants, by their
weight; then among one tenant's jobs, by priority. A priority is a weight too, so that `high` runs
before `low` but never starves it, and nobody gains on other tenants by calling all their jobs
urgent.

A claim is charged by estimate and corrected by the commit, so that a worker that takes many shards
at once is not taken for idle meanwhile. Whoever was away comes back with the smallest share of
those present, or with the largest of all when nobody is: being idle saves up nothing.

Locks are always taken in the order shards, jobs, tenants (here and in `leases` and `completion`),
and who holds a job takes of its other shards only those that nobody holds, so that no two
transactions can wait for each other.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from jobs.database import Database, db_now
from jobs.states import ShardState
from jobs.tables import Job, Shard, Tenant
from jobs.turns import PRIORITY_WEIGHTS, in_turn


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to run one shard, and all that is needed to do it."""

    shard_id: int
    attempt: int
    owner: str
    job_id: str
    tenant_id: str
    first: int
    count: int
    deaths: int
    expiries: int
    errors: int
    charged_s: float
    manifest: str
    model_name: str
    model_version: int
    model_digest: str
    params: dict[str, Any]

    @property
    def tries(self) -> int:
        """The number of this try, from 1; what was handed back unharmed was none."""
        return 1 + self.deaths + self.expiries + self.errors

    @property
    def model(self) -> str:
        """The version's name, `digits@3`: equal weights may bear two names and other labels."""
        return f"{self.model_name}@{self.model_version}"


def has_work(database: Database, pool: str) -> bool:
    """Say whether a claim might find something; a read that disturbs nobody."""
    with database.read() as session:
        found = select(Job.id).where(Job.pool == pool, Job.pending_shards > 0).limit(1)
        return session.scalar(found) is not None


def claim(
    database: Database, pool: str, owner: str, lease_s: float, held: Collection[str] = ()
) -> Lease | None:
    """Lease the fairest runnable shard of `pool` to `owner`; None when there is none.

    `held` are the models that the worker has loaded, such as `digits@3`.
    """
    with database.write() as session:
        for candidate in in_turn(session, pool, held):
            shard = _take_shard(session, candidate.job_id, owner, lease_s)
            if shard is not None:
                estimate_s = candidate.item_s * shard.count
                return _charged_lease(session, shard, candidate.priority, estimate_s)
    return None


def enter(session: Session, job: Job) -> None:
    """Give a job that has just become runnable, and its tenant if it was idle, a fair start."""
    least = select(func.min(Job.share)).where(
        Job.tenant_id == job.tenant_id, Job.pending_shards > 0, Job.id != job.id
    )
    job.share = session.scalar(least) or 0.0
    # Present are also those of whose jobs every shard runs at this moment.
    running = select(Job.tenant_id).where(
        Job.ended_at.is_(None), Job.in_progress_at.is_not(None), Job.id != job.id
    )
    if session.scalar(select(running.where(Job.tenant_id == job.tenant_id).exists())):
        return
    others = Tenant.id != job.tenant_id
    present = select(func.min(Tenant.share)).where(others, Tenant.id.in_(running))
    floor = session.scalar(present)
    if floor is None:
        floor = session.scalar(select(func.max(Tenant.share)).where(others)) or 0.0
    session.execute(
        update(Tenant).where(Tenant.id == job.tenant_id, Tenant.share < floor).values(share=floor)
    )


def charge(session: Session, job_id: str, tenant_id: str, priority: str, seconds: float) -> None:
    """Add device seconds (less than 0 to give some back) to a job's share and its tenant's."""
    weight = PRIORITY_WEIGHTS[priority]
    session.execute(update(Job).where(Job.id == job_id).values(share=Job.share + seconds / weight))
    _charge_tenant(session, tenant_id, seconds)


def _charge_tenant(session: Session, tenant_id: str, seconds: float) -> None:
    session.execute(
        update(Tenant)
        .where(Tenant.id == tenant_id)
        .values(share=Tenant.share + seconds / Tenant.weight),
        # No tenant is loaded here that would have to be kept in step.
        execution_options={"synchronize_session": False},
    )


def _take_shard(session: Session, job_id: str, owner: str, lease_s: float) -> Shard | None:
    next_shard = (
        select(Shard.id)
        .where(
            Shard.job_id == job_id,
            Shard.state == ShardState.PENDING,
            Shard.not_before <= db_now(),
        )
        .order_by(Shard.first)
        .limit(1)
        # SQLite has no row locks and ignores this: there the whole transaction is exclusive.
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    return session.scalar(
        update(Shard)
        .where(Shard.id == next_shard, Shard.state == ShardState.PENDING)
        .values(
            state=ShardState.LEASED,
            attempt=Shard.attempt + 1,
            owner=owner,
            lease_until=db_now() + lease_s,
        )
        .returning(Shard)
    )


def _charged_lease(session: Session, shard: Shard, priority: str, estimate_s: float) -> Lease:
    job = session.execute(
        update(Job)
        .where(Job.id == shard.job_id)
        .values(
            pending_shards=Job.pending_shards - 1,
            share=Job.share + estimate_s / PRIORITY_WEIGHTS[priority],
        )
        .returning(Job)
    ).scalar_one()
    _charge_tenant(session, job.tenant_id, estimate_s)
    return Lease(
        shard_id=shard.id,
        attempt=shard.attempt,
        owner=shard.owner or "",
        job_id=job.id,
        tenant_id=job.tenant_id,
        first=shard.first,
        count=shard.count,
        deaths=shard.deaths,
        expiries=shard.expiries,
        errors=shard.errors,
        charged_s=estimate_s,
        manifest=job.manifest or "",
        model_name=job.model_name,
        model_version=job.model_version,
        model_digest=job.model_digest,
        params=job.params,
    )
