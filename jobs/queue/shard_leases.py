"""How a shard's lease lives and ends, other than by a commit (see jobs.leases).

    renew       every few seconds, all shards of a process in one statement
    hand_back   by a worker that stops: the shard is pending again and nothing is held against it
    fail        by a worker that could not run the shard: pending again after a pause
    take_back   by a restarted worker: what its dead predecessor held is pending again at once
    expire      by the sweeper: what nobody renewed is pending again

What a shard's end means for the items in it, when its worker did not come back, is decided in
`jobs.queue.quarantine`.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from jobs.base.database import Database, db_now
from jobs.base.states import ItemStatus, ShardState
from jobs.leases.owned import free, lock_leased, of_owner, renew_all
from jobs.queue.completion import close_if_over
from jobs.queue.quarantine import Suspect, isolate
from jobs.queue.scheduling import ShardLease, charge_job, charge_tenant
from jobs.queue.shards import SHARDS
from jobs.tables import Job, Shard

Ending = Literal["death", "expiry", "error", "hand_back"]

# Longest pause before a shard that its worker could not run is tried again.
_LONGEST_PAUSE_S = 60.0


@dataclass(frozen=True, slots=True)
class Renewal:
    """What a process learns when it renews: which leases are gone, and which jobs are ending."""

    lost: frozenset[int]
    ending: dict[int, ItemStatus]


def renew(
    database: Database, owner: str, leases: Collection[ShardLease], lease_s: float
) -> Renewal:
    """Extend the leases of one process by the database's clock."""
    fences = {lease.shard_id: lease.fence for lease in leases}
    held = renew_all(database, SHARDS, owner, fences, lease_s)
    return Renewal(frozenset(fences) - held, ending_of(database, held))


def ending_of(database: Database, shard_ids: Collection[int]) -> dict[int, ItemStatus]:
    """Say which of these shards belong to a job that is being ended, and how; only reads."""
    with database.read() as session:
        found = session.execute(
            select(Shard.id, Job.ending)
            .join(Job, Job.id == Shard.job_id)
            .where(Shard.id.in_(shard_ids), Job.ending.is_not(None))
        ).all()
    return {shard_id: ending for shard_id, ending in found if ending is not None}


def hand_back(database: Database, lease: ShardLease) -> bool:
    """Give a shard back unharmed; False when the lease was gone already."""
    return _end_one(database, lease, "hand_back")


def fail(database: Database, lease: ShardLease) -> bool:
    """Give back a shard that could not be run, to be tried again after a pause."""
    return _end_one(database, lease, "error")


def take_back(
    database: Database, owner: str, *, crashed: bool = False, suspects: Sequence[Suspect] = ()
) -> int:
    """End the leases that a dead process of the same name still holds; gives their number.

    `crashed` tells that it died of itself and was not killed; `suspects` are what its flight record
    names then.
    """
    ending: Ending = "death" if crashed else "expiry"
    return _end_all(database, of_owner(SHARDS, owner), ending, suspects)


def expire(database: Database) -> int:
    """End the leases that nobody renewed in time; gives their number."""
    return _end_all(database, SHARDS.has_lapsed, "expiry")


def _end_one(database: Database, lease: ShardLease, ending: Ending) -> bool:
    with database.write() as session:
        shard = session.scalar(select(Shard).where(lease.is_held).with_for_update())
        if shard is None:
            return False
        _return_shards(session, [shard], ending)
        return True


def _end_all(
    database: Database,
    which: ColumnElement[bool],
    ending: Ending,
    suspects: Sequence[Suspect] = (),
) -> int:
    with database.write() as session:
        shards = lock_leased(session, SHARDS, which)
        _return_shards(session, shards, ending, suspects)
        return len(shards)


def _return_shards(
    session: Session, shards: Sequence[Shard], ending: Ending, suspects: Sequence[Suspect] = ()
) -> None:
    """Make leased shards, whose rows are locked, pending again, or end them with their job."""
    now = session.scalar(select(db_now())) or 0.0
    added, refunds = Counter[str](), defaultdict[str, float](float)
    for shard in shards:
        refunds[shard.job_id] += shard.charged_s or 0.0
        mine = [suspect for suspect in suspects if suspect.shard_id == shard.id]
        _count_ending(shard, ending, now, is_bystander=bool(suspects) and not mine)
        free(SHARDS, shard)
        shard.charged_s = None
        shard.state = ShardState.PENDING
        added[shard.job_id] += isolate(session, shard, mine)
    session.flush()
    # In the order of ids, so that two sweepers cannot wait for each other.
    for job_id, count in sorted(added.items()):
        session.execute(
            update(Job).where(Job.id == job_id).values(pending_shards=Job.pending_shards + count)
        )
        close_if_over(session, job_id)
    _refund(session, refunds)


def _refund(session: Session, refunds: Mapping[str, float]) -> None:
    """Give back what claims had charged by estimate; jobs, already locked, go before tenants."""
    owed = defaultdict[str, float](float)
    for job_id, seconds in sorted(refunds.items()):
        job = session.get_one(Job, job_id)
        charge_job(session, job_id, -seconds)
        owed[job.tenant_id] += seconds
    for tenant_id, seconds in sorted(owed.items()):
        charge_tenant(session, tenant_id, -seconds)


def _count_ending(shard: Shard, ending: Ending, now: float, *, is_bystander: bool) -> None:
    """Write down why an attempt ended; a crash is no matter of what was not in flight."""
    if ending == "death" and not is_bystander:
        shard.deaths += 1
    elif ending == "expiry":
        shard.expiries += 1
    elif ending == "error":
        shard.errors += 1
        shard.not_before = now + min(_LONGEST_PAUSE_S, 2.0**shard.errors)
