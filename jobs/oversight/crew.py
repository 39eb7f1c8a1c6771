"""Worker processes, and which shards each of them holds."""

from dataclasses import dataclass, field
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from jobs.base.database import db_now
from jobs.base.states import ShardState
from jobs.presence.workers import SILENT_S
from jobs.tables import Job, Shard, Tenant, WorkerProcess

State = Literal["working", "draining", "drained", "silent"]

# Rows, and shards that are shown of them all.
_MOST_WORKERS, _MOST_SHARDS = 1000, 5000


@dataclass(frozen=True, slots=True)
class HeldShard:
    """A shard that a worker runs; times are the database's."""

    job_id: str
    tenant: str
    model: str
    shard_id: int
    first: int
    count: int
    lease_until: float


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker process; `state` is what an operator wants to know of it."""

    process: WorkerProcess
    state: State
    shards: list[HeldShard] = field(default_factory=list)


def list_workers(session: Session) -> list[Worker]:
    """Give the processes that are known, by name, with what each holds.

    working, draining (drained, and something is still in flight), drained, or silent.
    """
    now = session.scalar(select(db_now())) or 0.0
    held: dict[str, list[HeldShard]] = {}
    for owner, shard in _held(session):
        held.setdefault(owner, []).append(shard)
    rows = session.scalars(
        select(WorkerProcess).order_by(WorkerProcess.node).limit(_MOST_WORKERS)
    ).all()
    return [
        Worker(row, _state(row, now, bool(held.get(row.node))), held.get(row.node, []))
        for row in rows
    ]


def _state(row: WorkerProcess, now: float, holds: bool) -> State:
    if row.seen_at < now - SILENT_S:
        return "silent"
    if row.drained_at is None:
        return "working"
    return "draining" if holds else "drained"


def _held(session: Session) -> list[tuple[str, HeldShard]]:
    query = (
        select(Shard, Job, Tenant.name)
        .join(Job, Job.id == Shard.job_id)
        .join(Tenant, Tenant.id == Job.tenant_id)
        .where(Shard.state == ShardState.LEASED, Shard.lease_until > 0)
        .order_by(Shard.id)
        .limit(_MOST_SHARDS)
    )
    return [
        (
            shard.owner or "",
            HeldShard(
                job_id=job.id,
                tenant=tenant,
                model=f"{job.model_name}@{job.model_version}",
                shard_id=shard.id,
                first=shard.first,
                count=shard.count,
                lease_until=shard.lease_until or 0.0,
            ),
        )
        for shard, job, tenant in session.execute(query)
    ]
