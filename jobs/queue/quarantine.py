"""Finding the item that ends worker processes, so that it costs itself and not its job.

A process that crashes (a segmentation fault, an abort) leaves a flight record that names suspects:
the items that were being decoded or inferred. Each becomes a shard of its own, the rest of its
shard runs on, and a worker runs a suspect with nothing beside it. The item that then crashes its
process again is not run a third time but errored: two deaths for one such item, however large its
job.

Where a crash names nobody, or where leases run out again and again, a shard is cut in two, so that
the item is found by halving.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from sqlalchemy.orm import Session

from jobs.base.states import ShardState
from jobs.queue.scheduling import ShardLease
from jobs.tables import Shard

# A crash says much about what was running. A lease that ran out, or a process killed from outside,
# says little: the machine or its network may have been away, or an operator in a hurry.
_DEATHS = 2
_EXPIRIES = 5


class Suspect(NamedTuple):
    """A run of items that were in flight when a process crashed."""

    shard_id: int
    first: int
    length: int


def is_crasher(lease: ShardLease) -> bool:
    """Say whether a shard is a single item that has ended its worker too often to be run again."""
    return lease.count == 1 and _ends_workers(lease)


def must_run_alone(lease: ShardLease) -> bool:
    """Say whether a shard is a suspect, to be run with nothing beside it."""
    return lease.count == 1 and lease.deaths > 0


def isolate(session: Session, shard: Shard, suspects: Sequence[Suspect]) -> int:
    """Put a leased shard's parts in its place, if it must be cut; gives how many shards wait now.

    `suspects` are those of this shard. The shard's row is locked and its counters are up to date.
    """
    if shard.count > 1 and suspects:
        alone = {
            index
            for suspect in suspects
            for index in range(suspect.first, suspect.first + suspect.length)
        }
        return _cut(session, shard, alone)
    if shard.count > 1 and _ends_workers(shard):
        return _replace(session, shard, [shard.first, shard.first + shard.count // 2], set())
    return 1


def _ends_workers(shard: Shard | ShardLease) -> bool:
    return shard.deaths >= _DEATHS or shard.expiries >= _EXPIRIES


def _cut(session: Session, shard: Shard, alone: set[int]) -> int:
    """Cut a shard so that each of some items stands alone."""
    inside = {index for index in alone if shard.first <= index < shard.first + shard.count}
    starts = {shard.first} | inside | {index + 1 for index in inside}
    return _replace(session, shard, sorted(starts), inside)


def _replace(session: Session, shard: Shard, starts: list[int], suspects: set[int]) -> int:
    """Put shards that begin at these indexes in a shard's place; gives their number."""
    end = shard.first + shard.count
    bounds = [start for start in starts if start < end] + [end]
    shard.state = ShardState.SPLIT
    for first, stop in pairwise(bounds):
        deaths = 1 if first in suspects else 0
        session.add(
            Shard(
                job_id=shard.job_id,
                first=first,
                count=stop - first,
                state=ShardState.PENDING,
                deaths=deaths,
            )
        )
    session.flush()
    return len(bounds) - 1
