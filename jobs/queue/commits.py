"""A commit: a finished shard is counted, once, whatever breaks on the way.

It is one transaction, fenced by the lease: the shard is done, the job's counts advance and, if it
was the last, the job closes (jobs.queue.completion). A worker whose lease went to somebody else
changes no row, and its result is discarded.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy import Float, LargeBinary, bindparam, select, update
from sqlalchemy.exc import SQLAlchemyError

from jobs.base.database import Database, db_now, is_outage
from jobs.base.states import ShardState
from jobs.queue.completion import close_if_over
from jobs.queue.scheduling import ShardLease, charge_tenant, time_used
from jobs.queue.shards import SHARDS
from jobs.queue.turns import priority_weight
from jobs.tables import Table

log = structlog.get_logger(__name__)

_jobs, _shards = (Table.metadata.tables[name] for name in ("jobs", "shards"))

# What every commit runs, built once, like the statements of a claim (jobs.queue.scheduling).
_FINISH_SHARD = (
    update(_shards)
    .where(SHARDS.is_held(bindparam("shard"), bindparam("under")))
    .values(
        state=ShardState.DONE,
        segment=bindparam("into"),
        summary=bindparam("in_short", type_=LargeBinary()),
        owner=None,
        lease_until=None,
    )
    .returning(_shards.c.id)
)
# A job's counts, and what a tally has of each.
_COUNTS = {
    "completed": "succeeded",
    "failed": "errored",
    "faults": "faults",
    "cancelled": "cancelled",
    "expired": "expired",
}
# The job's row stays locked from here on, so that commits are numbered in order.
_COUNT = (
    update(_jobs)
    .where(_jobs.c.id == bindparam("of_job"))
    .values(
        {
            **{_jobs.c[name]: _jobs.c[name] + bindparam(f"more_{name}") for name in _COUNTS},
            _jobs.c.commits: _jobs.c.commits + 1,
            _jobs.c.device_s: _jobs.c.device_s + bindparam("more_s", type_=Float()),
            # What its claim was charged by estimate, corrected.
            _jobs.c.share: _jobs.c.share + bindparam("owed_s", type_=Float()) / priority_weight,
            _jobs.c.last_progress_at: db_now(),
        }
    )
    .returning(_jobs.c.commits)
)
_NUMBER_SHARD = (
    update(_shards)
    .where(_shards.c.id == bindparam("shard"))
    .values(commit_number=bindparam("number"))
)
_SEGMENT = select(_shards.c.segment).where(_shards.c.id == bindparam("shard"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How the items of a shard ended, and what their answers come to."""

    succeeded: int = 0
    errored: int = 0
    # Of the errored ones, those that no input is to blame for.
    faults: int = 0
    cancelled: int = 0
    expired: int = 0
    # As jobs.results.summaries writes it.
    summary: bytes | None = None


def commit(
    database: Database,
    lease: ShardLease,
    segment: str,
    tally: Tally,
    device_s: float,
    held_s: float = 0.0,
) -> bool:
    """Count a finished shard; False when the lease was lost and the result must be discarded.

    `device_s` are seconds of the device, `held_s` those for which the shard held its place.
    """
    shard = {"shard": lease.shard_id}
    with database.write() as session:
        connection = session.connection()
        mine = {**shard, "under": lease.fence, "into": segment, "in_short": tally.summary}
        if connection.scalar(_FINISH_SHARD, mine) is None:
            return False
        counts = {f"more_{name}": getattr(tally, part) for name, part in _COUNTS.items()}
        owed_s = time_used(device_s, held_s, lease.count) - lease.charged_s
        more = {"of_job": lease.job_id, "more_s": device_s, "owed_s": owed_s, **counts}
        number = connection.scalar(_COUNT, more)
        connection.execute(_NUMBER_SHARD, {**shard, "number": number})
        charge_tenant(session, lease.tenant_id, owed_s)
        close_if_over(session, lease.job_id)
        return True


def commit_through_outages(
    database: Database,
    lease: ShardLease,
    segment: str,
    tally: Tally,
    device_s: float,
    held_s: float = 0.0,
    *,
    pause: Callable[[float], object] = time.sleep,
) -> bool:
    """Commit through outages of the database, keeping the computed result until it is back.

    When the connection breaks during COMMIT nobody knows whether it took place. The repetition is
    fenced, so it can only count once; when it finds the lease gone, the shard is read again to tell
    whether it was this very result that took it.
    """
    return through_outages(
        lambda: commit(database, lease, segment, tally, device_s, held_s),
        lambda: _is_committed(database, lease, segment),
        lease.job_id,
        pause,
    )


def through_outages(
    act: Callable[[], bool],
    was_done: Callable[[], bool],
    job_id: str,
    pause: Callable[[float], object] = time.sleep,
) -> bool:
    """Repeat a fenced transaction until the database has answered; gives whether it took place."""
    delay = 0.2
    while True:
        try:
            return act() or was_done()
        except SQLAlchemyError as err:
            if not is_outage(err):
                raise
            log.warning("commit_waits_for_database", job=job_id)
            pause(delay)
            delay = min(delay * 2, 5.0)


def _is_committed(database: Database, lease: ShardLease, segment: str) -> bool:
    with database.read() as session:
        return session.connection().scalar(_SEGMENT, {"shard": lease.shard_id}) == segment
