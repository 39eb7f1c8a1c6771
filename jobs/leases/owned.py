"""Leases of an owner: a process that holds many, renews them together, and may come back.

Whose process died has its leases ended by its successor (`of_owner`), and everybody's that lapsed
are ended by the sweeper (`Leased.has_lapsed`); what that means for a row is said where it is
described.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from jobs.base.database import Database, db_now
from jobs.leases.leased import Leased, Row


def of_owner(leased: Leased[Any], owner: str) -> ColumnElement[bool]:
    """Whether a row is leased to an owner, in SQL."""
    is_theirs: ColumnElement[bool] = _owner(leased) == owner
    return is_theirs & leased.is_open


def renew_all(
    database: Database,
    leased: Leased[Any],
    owner: str,
    fences: Mapping[Any, int],
    lease_s: float,
) -> set[Any]:
    """Extend the leases of an owner, in one statement; gives the keys of those that it still has.

    `fences` are the numbers of its leases, by the keys of the rows.
    """
    (key,) = leased.key
    mine = key.in_(fences), of_owner(leased, owner)
    in_order = select(key).where(*mine).order_by(key).with_for_update()
    extended = (
        update(leased.table)
        .where(key.in_(in_order.scalar_subquery()), *mine)
        .values({leased.until: db_now() + lease_s})
        .returning(key, leased.fence)
    )
    with database.write() as session:
        found = session.execute(extended, execution_options={"synchronize_session": False})
        return {number for number, fence in found if fences[number] == fence}


def lock_leased(session: Session, leased: Leased[Row], which: ColumnElement[bool]) -> Sequence[Row]:
    """Give the leased rows of which `which` holds, locked in the order of their keys.

    What another transaction is at is left to it.
    """
    return session.scalars(
        select(leased.table)
        .where(which, leased.is_open)
        .order_by(*leased.key)
        .with_for_update(skip_locked=True)
    ).all()


def free(leased: Leased[Row], row: Row) -> None:
    """Take a row, which is locked, from its owner."""
    for column in (_owner(leased), leased.until):
        setattr(row, column.key, None)


def _owner(leased: Leased[Any]) -> Any:
    assert leased.owner is not None
    return leased.owner
