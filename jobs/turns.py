"""Whose turn it is: the jobs that a claim may serve, the fairest first (see jobs.scheduling).

A worker prefers a model that it holds: loading another one for every shard would cost more than it
gives. It may do so while the shares differ by less than one shard, so nobody waits longer for it.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import case, exists, select
from sqlalchemy.orm import Session

from jobs.tables import Job, Tenant

PRIORITY_WEIGHTS = {"high": 16.0, "normal": 4.0, "low": 1.0}

# What a shard is cut to take, about (models.record, `shard_items`).
SHARD_S = 3.0

# Device seconds for one item of a job of which nothing has run yet.
FIRST_ESTIMATE_S = 0.005

# How many tenants, and jobs of each, a claim looks at before it gives up: those in front may have
# only shards that another claim holds at this moment, or that wait out a pause.
_LOOK_AHEAD = 8


class Candidate(NamedTuple):
    """A job that a claim may serve; `item_s` are the device seconds of one of its items."""

    job_id: str
    priority: str
    item_s: float
    share: float
    model: str

    @property
    def weight(self) -> float:
        """The weight of the job's priority in its tenant's share."""
        return PRIORITY_WEIGHTS[self.priority]


def in_turn(session: Session, pool: str, held: Collection[str]) -> Iterator[Candidate]:
    """Give the jobs that a claim may serve, the fairest first, unless a held model comes before."""
    tenants = session.execute(_tenants_in_turn(pool)).all()
    for place, tenant in enumerate(tenants):
        found = _candidates(session, pool, tenant.id)
        if place == 0 and found and held and found[0].model not in held:
            yield from _held_before(session, pool, held, tenants, found)
        yield from found


def _held_before(
    session: Session,
    pool: str,
    held: Collection[str],
    tenants: Sequence[Any],
    first: list[Candidate],
) -> Iterator[Candidate]:
    """Give the fairest job with a held model, if it comes less than a shard after the fairest."""
    for job in first:
        if job.model in held and job.share - first[0].share < SHARD_S / job.weight:
            yield job
            return
    for tenant in tenants[1:]:
        if tenant.share - tenants[0].share >= SHARD_S / tenant.weight:
            return
        for job in _candidates(session, pool, tenant.id):
            if job.model in held:
                yield job
                return


def _candidates(session: Session, pool: str, tenant_id: str) -> list[Candidate]:
    rows = session.execute(_jobs_in_turn(pool, tenant_id)).all()
    return [
        Candidate(job_id, priority, item_s, share, f"{name}@{version}")
        for job_id, priority, item_s, share, name, version in rows
    ]


def _tenants_in_turn(pool: str) -> Any:
    runnable = exists().where(Job.tenant_id == Tenant.id, Job.pool == pool, Job.pending_shards > 0)
    wanted = select(Tenant.id, Tenant.share, Tenant.weight).where(runnable)
    return wanted.order_by(Tenant.share, Tenant.id).limit(_LOOK_AHEAD)


def _jobs_in_turn(pool: str, tenant_id: str) -> Any:
    """Select what makes a candidate of each of a tenant's jobs, the smallest share first."""
    seen = Job.completed + Job.failed
    item_s = case((seen > 0, Job.device_s / seen), else_=FIRST_ESTIMATE_S)
    return (
        select(Job.id, Job.priority, item_s, Job.share, Job.model_name, Job.model_version)
        .where(Job.pool == pool, Job.tenant_id == tenant_id, Job.pending_shards > 0)
        .order_by(Job.share, Job.id)
        .limit(_LOOK_AHEAD)
    )
