"""A lease on one row: taken, renewed, checked under its fence, handed back or failed.

    lease_next   the row that has waited for longest, for its `lease_s`
    lease_within the same, in a transaction that does more
    renew        while work on it goes on (jobs.leases.renewing does so by itself)
    locked       the row, kept from everybody else until the transaction ends; None when it was lost
    hand_back    it was not worked on: due again after a pause, and the try is not counted
    fail         it could not be done now: due again after a pause, and the try counts

Rows that have an owner are leased and returned many at a time: see jobs.leases.owned.
"""

from dataclasses import dataclass
from typing import Any, Generic

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from jobs.base.bootstrap import Ground
from jobs.base.database import Database, db_now
from jobs.base.settings import Settings
from jobs.leases.leased import Leased, Row

# How long a row waits that was handed back or failed: as a rule the store was away.
PAUSE_S = 5.0

_FRESH = {"populate_existing": True}
_NO_SESSION = {"synchronize_session": False}


class LeaseLost(Exception):
    """Somebody else works on the row by now, or nobody is to any more."""


@dataclass(frozen=True, slots=True)
class Lease(Generic[Row]):
    """The right to work on one row; `row` is the row as it was when it was leased."""

    of: Leased[Row]
    key: tuple[Any, ...]
    fence: int
    row: Row

    @property
    def attempts(self) -> int:
        """How many tries there were, this one included; what was handed back was none."""
        return self.fence

    def is_last(self, settings: Settings) -> bool:
        """Whether there is to be no other try."""
        return self.attempts >= self.of.max_attempts(settings)

    def is_used_up(self, settings: Settings) -> bool:
        """Whether there was to be no other try before this one."""
        return self.attempts > self.of.max_attempts(settings)

    @property
    def is_held(self) -> ColumnElement[bool]:
        """Whether it is still held, in SQL."""
        return self.of.is_held(self.key, self.fence)


def is_due(database: Database, leased: Leased[Any]) -> bool:
    """Say whether a row waits to be leased; a read that disturbs nobody."""
    with database.read() as session:
        return session.connection().execute(leased.next_due).first() is not None


def is_taken(database: Database, leased: Leased[Any], key: tuple[Any, ...]) -> bool:
    """Say whether somebody works on a row at this moment."""
    taken = select(leased.fence).where(leased.is_one(key), leased.is_taken)
    with database.read() as session:
        return session.scalar(taken) is not None


def lease_next(ground: Ground, leased: Leased[Row]) -> Lease[Row] | None:
    """Lease the row that has waited for longest; None when none waits, after nothing but a read."""
    if not is_due(ground.database, leased):
        return None
    with ground.database.write() as session:
        return lease_within(session, ground.settings, leased)


def lease_within(
    session: Session, settings: Settings, leased: Leased[Row], *besides: ColumnElement[bool]
) -> Lease[Row] | None:
    """Lease in a transaction the row that has waited for longest; None when none waits.

    Of those of which `besides` holds as well. What else the transaction does is done with it or not
    at all.
    """
    oldest: Any = leased.next_due.where(*besides).with_for_update(skip_locked=True)
    row = session.scalar(
        update(leased.table)
        .where(leased.is_one(oldest.scalar_subquery()), leased.is_open)
        .values({leased.fence: leased.fence + 1, leased.until: db_now() + leased.lease_s(settings)})
        .returning(leased.table),
        execution_options=_NO_SESSION,
    )
    if row is None:
        return None
    key = tuple(getattr(row, column.key) for column in leased.key)
    return Lease(leased, key, getattr(row, leased.fence.key), row)


def renew(ground: Ground, lease: Lease[Any]) -> bool:
    """Extend a lease by the database's clock; False when it was lost."""
    return _extend(ground, lease, lease.of.lease_s(ground.settings))


def locked(session: Session, lease: Lease[Row]) -> Row | None:
    """Give a lease's row as it is now, locked until the transaction ends; None when it was lost."""
    # FOR NO KEY UPDATE: the stronger lock would wait for everyone who inserts rows that name it.
    query = select(lease.of.table).where(lease.is_held).with_for_update(key_share=True)
    return session.scalar(query, execution_options=_FRESH)


def hand_back(ground: Ground, lease: Lease[Any]) -> bool:
    """End a lease as if it had not been taken, to be taken again after a pause; False if lost."""
    return _extend(ground, lease, PAUSE_S, {lease.of.fence: lease.of.fence - 1})


def fail(ground: Ground, lease: Lease[Any]) -> bool:
    """End a lease that counts as a try, to be taken again after a pause; False if lost."""
    return _extend(ground, lease, PAUSE_S)


def _extend(
    ground: Ground, lease: Lease[Any], for_s: float, values: dict[Any, Any] | None = None
) -> bool:
    of = lease.of
    moved = (
        update(of.table)
        .where(lease.is_held)
        .values({of.until: db_now() + for_s, **(values or {})})
        .returning(of.fence)
    )
    with ground.database.write() as session:
        return session.scalar(moved, execution_options=_NO_SESSION) is not None
