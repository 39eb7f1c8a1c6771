"""What a shard is to a lease, how a job is cut into shards, and how these come to be claimed."""

from typing import Any

from sqlalchemy.orm import Session

from jobs.base.database import db_now
from jobs.base.states import ShardState
from jobs.leases.leased import Leased
from jobs.queue.entering import enter, raise_tenant
from jobs.tables import Job, Shard, Table

# Of those of a job, which is chosen first (jobs.queue.scheduling). Its tries are counted apart, by
# how they ended (jobs.queue.quarantine): a shard that was handed back has cost none.
SHARDS = Leased(
    name="shard",
    table=Shard,
    key=(Shard.id,),
    fence=Shard.fence,
    until=Shard.lease_until,
    owner=Shard.owner,
    is_open=Shard.state == ShardState.LEASED,
    due=(Shard.state == ShardState.PENDING) & (Shard.not_before <= db_now()),
    order=Shard.first,
    max_attempts=lambda settings: settings.max_attempts,
)

_INSERT_SHARD = Table.metadata.tables["shards"].insert()

# Shards are at least so large in a job of many items, so that tables grow with shards alone.
_SMALLEST_OF_MANY = 256
_MANY = 50_000
# A small job is cut into about so many, so that its progress shows and several workers share it.
_SHARDS_OF_FEW = 8
_SMALLEST_OF_FEW = 32


def cut_shards(job_id: str, total: int, preferred: int) -> list[dict[str, Any]]:
    """Cut a job's items into shards; `preferred` is the model's number of items for one."""
    size = min(preferred, max(_SMALLEST_OF_FEW, -(-total // _SHARDS_OF_FEW)))
    if total > _MANY:
        size = max(size, _SMALLEST_OF_MANY)
    return [
        {
            "job_id": job_id,
            "first": first,
            "count": min(size, total - first),
            "state": ShardState.PENDING,
        }
        for first in range(0, total, size)
    ]


def insert_shards(session: Session, job: Job, shards: list[dict[str, Any]]) -> None:
    """Insert the shards of a job that begins to run, and give it its place among the others."""
    floor = enter(session, job)
    job.pending_shards = len(shards)
    session.flush()  # a new job has to be there before its shards
    for start in range(0, len(shards), 1000):
        session.connection().execute(_INSERT_SHARD, shards[start : start + 1000])
    if floor is not None:
        raise_tenant(session, job.tenant_id, floor)
