"""Where a job begins among the others, once its shards can be claimed (see jobs.queue.scheduling).

Whoever was away comes back with the smallest share of those present, or with the largest of all
when nobody is: being idle saves up nothing. What they were charged for shards that still run does
not count there: it is not used yet, and an estimate.
"""

from sqlalchemy import Connection, Float, bindparam, exists, func, select, update
from sqlalchemy.orm import Session

from jobs.base.states import ShardState
from jobs.queue.turns import PRIORITY_WEIGHTS
from jobs.tables import Job, Table

_jobs, _shards, _tenants = (Table.metadata.tables[name] for name in ("jobs", "shards", "tenants"))

# Built once, like those of jobs.queue.turns: every submission asks them.
_is_another = _jobs.c.id != bindparam("entering")
_is_own = _jobs.c.tenant_id == bindparam("of_tenant")
_is_other_tenant = _tenants.c.id != bindparam("of_tenant")

_charged = (
    select(_shards.c.job_id, func.coalesce(func.sum(_shards.c.charged_s), 0.0).label("seconds"))
    .where(_shards.c.state == ShardState.LEASED, _shards.c.lease_until > 0)
    .group_by(_shards.c.job_id)
    .subquery()
)
# One statement, so that no commit comes between a charge and the share that it is part of.
_CHARGED_SHARES = (
    select(
        _jobs.c.tenant_id,
        _jobs.c.share.label("jobs_share"),
        _jobs.c.priority,
        _tenants.c.share.label("tenants_share"),
        _tenants.c.weight,
        _charged.c.seconds,
    )
    .select_from(_charged)
    .join(_jobs, _jobs.c.id == _charged.c.job_id)
    .join(_tenants, _tenants.c.id == _jobs.c.tenant_id)
    .where(_is_another)
)

# Present are also those of whose jobs every shard runs at this moment.
_is_running = _jobs.c.ended_at.is_(None) & _jobs.c.in_progress_at.is_not(None) & _is_another
_AMONG_OWN = select(
    select(func.min(_jobs.c.share))
    .where(_is_own, _jobs.c.pending_shards > 0, _is_another)
    .scalar_subquery()
    .label("least"),
    exists().where(_is_running, _is_own).label("is_present"),
)
_present = select(_jobs.c.tenant_id).where(_is_running)
_AMONG_TENANTS = select(
    select(func.min(_tenants.c.share))
    .where(_is_other_tenant, _tenants.c.id.in_(_present))
    .scalar_subquery()
    .label("least_present"),
    select(func.max(_tenants.c.share)).where(_is_other_tenant).scalar_subquery().label("most"),
)
_RAISE_SHARE = (
    update(_tenants)
    .where(
        _tenants.c.id == bindparam("of_tenant"),
        _tenants.c.share < bindparam("floor", type_=Float()),
    )
    .values(share=bindparam("floor", type_=Float()))
)


def enter(session: Session, job: Job) -> float | None:
    """Give a job that becomes runnable a fair start; it need not be stored yet.

    Gives the share that its tenant is to have at least (`raise_share_of_tenant`); None unless it
    was idle among others.
    """
    connection = session.connection()
    given = {"entering": job.id, "of_tenant": job.tenant_id}
    jobs, tenants = _settled_shares(connection, job)
    own = connection.execute(_AMONG_OWN, given).one()
    job.share = _least(own.least, *jobs) or 0.0
    if own.is_present:
        return None
    others = connection.execute(_AMONG_TENANTS, given).one()
    floor = _least(others.least_present, *tenants)
    return others.most if floor is None else floor


def raise_share_of_tenant(session: Session, tenant_id: str, floor: float) -> None:
    """Let a tenant have had so much at least; its row stays locked until the transaction ends."""
    session.connection().execute(_RAISE_SHARE, {"of_tenant": tenant_id, "floor": floor})


def _settled_shares(connection: Connection, job: Job) -> tuple[list[float], list[float]]:
    """Give shares less what running shards were charged: of the tenant's jobs, of other tenants.

    A charge is an estimate of what has yet to be used: who enters begins beside what the others
    have had, not beside what they may have.
    """
    jobs, tenants = [], dict[str, float]()
    for row in connection.execute(_CHARGED_SHARES, {"entering": job.id}):
        if row.tenant_id == job.tenant_id:
            jobs.append(row.jobs_share - row.seconds / PRIORITY_WEIGHTS[row.priority])
        else:
            share = tenants.get(row.tenant_id, row.tenants_share)
            tenants[row.tenant_id] = share - row.seconds / row.weight
    return jobs, list(tenants.values())


def _least(*shares: float | None) -> float | None:
    return min((share for share in shares if share is not None), default=None)
