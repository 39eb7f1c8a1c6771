"""What a shard is to a lease, and how the shards of a job come to be claimed."""

from typing import Any

from sqlalchemy.orm import Session

from jobs.base.database import db_now
from jobs.base.states import ShardState
from jobs.leases.leased import Leased
from jobs.queue.entering import enter, raise_share_of_tenant
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


def insert_shards(session: Session, job: Job, shards: list[dict[str, Any]]) -> None:
    """Insert the shards of a job that begins to run, and give it its place among the others."""
    floor = enter(session, job)
    job.pending_shards = len(shards)
    session.flush()  # a new job has to be there before its shards
    for start in range(0, len(shards), 1000):
        session.connection().execute(_INSERT_SHARD, shards[start : start + 1000])
    if floor is not None:
        raise_share_of_tenant(session, job.tenant_id, floor)
