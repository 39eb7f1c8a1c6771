"""Which shard runs next: fair shares by stride scheduling.

Waldspurger and Weihl, "Stride Scheduling" (1995): everyone has a share, the device seconds that
they used over their weight; who has the smallest is served next. First among tenants, by their
weight; then among one tenant's jobs, by priority. A priority is a weight too, so that `high` runs
before `low` but never starves it, and nobody gains on other tenants by calling all their jobs
urgent.

A claim is charged by estimate and corrected by the commit, so that a worker that takes many shards
at once is not taken for idle meanwhile; a lease that ends without a commit gives all of it back.

Where a job begins that has just become runnable stands in `jobs.queue.entering`.

A job of ten images need not wait until a shard of somebody's million ends: a worker keeps one place
for short shards, and some for tenants of whom it runs nothing (workers.engine.holding). A place for
short shards serves whoever's turn it is, if their shard is short, and otherwise nobody, so that it
changes how long a turn takes to come and not how many turns one gets.

Locks are always taken in the order shards, jobs, tenants (here, in `shard_leases` and in
`completion`), and who holds a job takes of its other shards only those that nobody holds, so that
no two transactions can wait for each other.
"""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    RowMapping,
    bindparam,
    case,
    func,
    select,
    update,
)
from sqlalchemy.orm import Session

from jobs.base.database import Database, db_now
from jobs.base.settings import Settings
from jobs.base.states import JobKind, ShardState
from jobs.kinds.table import KINDS
from jobs.queue.shards import SHARDS
from jobs.queue.turns import SHARD_S, Candidate, Line, in_turn, priority_weight
from jobs.tables import Table

# Device seconds for one item of a job of which nothing has run yet; for a whole shard of it no more
# than shards are cut to take.
FIRST_ESTIMATE_S = 0.005
_NO_LIMIT_S = 1e9
# Device seconds of a shard that the place for short ones serves.
SHORT_S = 0.5

# Whoever keeps a place busy without the device, with images that are broken or do not come, must
# not have it for nothing: so much counts for an item at least, and for a second in a place.
_LEAST_ITEM_S = 0.0001
_PART_OF_HELD = 0.1

_jobs, _shards, _tenants = (Table.metadata.tables[name] for name in ("jobs", "shards", "tenants"))

# Built once, like those of jobs.queue.turns.
_ANY_PENDING = (
    select(_jobs.c.id)
    .where(_jobs.c.pool == bindparam("in_pool"), _jobs.c.pending_shards > 0)
    .limit(1)
)
_next_shard = (
    SHARDS.next_due.where(_shards.c.job_id == bindparam("of_job"))
    # SQLite has no row locks and ignores this: there the whole transaction is exclusive.
    .with_for_update(skip_locked=True)
    .scalar_subquery()
)
_estimate_s = _shards.c.count * bindparam("item_s", type_=Float())
_most_s = bindparam("most_s", type_=Float())
_OF_SHARD = ("owner", "job_id", "first", "count", "deaths", "expiries", "errors")
_TAKE_SHARD = (
    update(_shards)
    .where(
        _shards.c.id == _next_shard,
        _shards.c.state == ShardState.PENDING,
        _estimate_s <= bindparam("within_s", type_=Float()),
    )
    .values(
        state=ShardState.LEASED,
        fence=_shards.c.fence + 1,
        owner=bindparam("by"),
        lease_until=db_now() + bindparam("for_s", type_=Float()),
        charged_s=case((_estimate_s > _most_s, _most_s), else_=_estimate_s),
    )
    .returning(
        _shards.c.id.label("shard_id"),
        _shards.c.fence.label("fence"),
        _shards.c.charged_s,
        *(_shards.c[name] for name in _OF_SHARD),
    )
)
_OF_JOB = (
    "tenant_id", "kind", "manifest", "model_name", "model_version", "model_digest", "params",
    "overlays", "gallery", "traceparent",
)  # fmt: skip
_CHARGE_JOB = (
    update(_jobs)
    .where(_jobs.c.id == bindparam("of_job"))
    .values(
        pending_shards=_jobs.c.pending_shards - 1,
        claimed_at=func.coalesce(_jobs.c.claimed_at, db_now()),
        share=_jobs.c.share + bindparam("part_s", type_=Float()),
    )
    .returning(
        *(_jobs.c[name] for name in _OF_JOB),
        func.coalesce(db_now() - _jobs.c.in_progress_at, 0.0).label("ready_s"),
    )
)
_ADD_TO_JOB = (
    update(_jobs)
    .where(_jobs.c.id == bindparam("of_job"))
    .values(share=_jobs.c.share + bindparam("seconds", type_=Float()) / priority_weight)
)
_CHARGE_TENANT = (
    update(_tenants)
    .where(_tenants.c.id == bindparam("of_tenant"))
    .values(share=_tenants.c.share + bindparam("seconds", type_=Float()) / _tenants.c.weight)
)


@dataclass(frozen=True, slots=True)
class ShardLease:
    """The right to run one shard, and all that is needed to do it."""

    shard_id: int
    fence: int
    owner: str
    job_id: str
    tenant_id: str
    kind: JobKind
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
    overlays: bool
    gallery: bool
    # For how long its job could have been run when it was claimed.
    ready_s: float
    # The span that its own goes below (jobs.base.traces).
    traceparent: str | None

    @property
    def is_first_of_job(self) -> bool:
        """Whether nothing of its job was claimed before."""
        return self.first == 0 and self.fence == 1

    @property
    def attempts(self) -> int:
        """How many tries there were, this one included; what was handed back unharmed was none."""
        return 1 + self.deaths + self.expiries + self.errors

    def is_last(self, settings: Settings) -> bool:
        """Whether a shard that could not be run is not to be tried again.

        How often its worker may die is another matter (jobs.queue.quarantine).
        """
        return self.errors + 1 >= SHARDS.max_attempts(settings)

    @property
    def is_turn(self) -> bool:
        """Whether the shard is run for a turn, and not to its end."""
        return KINDS[self.kind].turn_s is not None

    @property
    def is_held(self) -> ColumnElement[bool]:
        """Whether it is still held, in SQL."""
        return SHARDS.is_held((self.shard_id,), self.fence)

    @property
    def model(self) -> str:
        """The version's name, `digits@3`: equal weights may bear two names and other labels."""
        return f"{self.model_name}@{self.model_version}"


def has_work(database: Database, pool: str) -> bool:
    """Say whether a claim might find something; a read that disturbs nobody."""
    with database.read() as session:
        return session.connection().scalar(_ANY_PENDING, {"in_pool": pool}) is not None


def claim(
    database: Database,
    line: Line,
    owner: str,
    lease_s: float,
    held: Collection[str] = (),
    *,
    only_short: bool = False,
) -> ShardLease | None:
    """Lease the fairest runnable shard of those in line to `owner`; None when there is none.

    `held` are the models that the worker has loaded, such as `digits@3`. With `only_short` the
    shard is the fairest all the same, and None when it is not short.
    """
    with database.write() as session:
        # Statements of tables, not of classes: nothing is loaded that has to be kept in step.
        connection = session.connection()
        candidates = in_turn(connection, line, held)
        for candidate in islice(candidates, 1) if only_short else candidates:
            within_s = SHORT_S if only_short else _NO_LIMIT_S
            shard = _take_shard(connection, candidate, owner, lease_s, within_s)
            if shard is not None:
                return _charged_lease(connection, shard, candidate.weight)
    return None


def time_used(device_s: float, held_s: float, items: int) -> float:
    """Give the device seconds that a shard counts for (see jobs.queue.commits.commit)."""
    return max(device_s, held_s * _PART_OF_HELD, items * _LEAST_ITEM_S)


def charge_job(session: Session, job_id: str, seconds: float) -> None:
    """Add device seconds (less than 0 to give some back) to a job's share; its tenant's follows."""
    session.connection().execute(_ADD_TO_JOB, {"of_job": job_id, "seconds": seconds})


def charge_tenant(session: Session, tenant_id: str, seconds: float) -> None:
    """Add device seconds to a tenant's share; jobs are locked before tenants."""
    session.connection().execute(_CHARGE_TENANT, {"of_tenant": tenant_id, "seconds": seconds})


def _take_shard(
    connection: Connection, candidate: Candidate, owner: str, lease_s: float, within_s: float
) -> RowMapping | None:
    is_known = candidate.item_s is not None
    wanted = {
        "of_job": candidate.job_id,
        "by": owner,
        "for_s": lease_s,
        "item_s": max(candidate.item_s or 0.0, _LEAST_ITEM_S) if is_known else FIRST_ESTIMATE_S,
        "most_s": _NO_LIMIT_S if is_known else SHARD_S,
        "within_s": within_s,
    }
    return connection.execute(_TAKE_SHARD, wanted).mappings().first()


def _charged_lease(connection: Connection, shard: RowMapping, weight: float) -> ShardLease:
    charged_s = shard["charged_s"]
    given = {"of_job": shard["job_id"], "part_s": charged_s / weight}
    job = connection.execute(_CHARGE_JOB, given).mappings().one()
    connection.execute(_CHARGE_TENANT, {"of_tenant": job["tenant_id"], "seconds": charged_s})
    return ShardLease(**{**shard, **job})
