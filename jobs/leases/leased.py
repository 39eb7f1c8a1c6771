"""What is leased, as data: one description for each table whose rows somebody works on.

    due ──lease──► leased ──► ended by whoever holds it, under the fence
     ▲              │  ▲
     │              │  └──renew
     └──hand back───┤
     └──fail────────┤
     └──lapse───────┘ it died: nobody renewed

The fence is a number that goes up with every lease. Whatever is written for a row that is leased is
written under it, so that somebody who was thought dead changes nothing any more. Where a table
counts no tries of its own, the fence does: what is handed back takes its number with it, what fails
or lapses keeps it.

    shards          jobs.queue.shards            deliveries     jobs.queue.webhooks
    preparations    jobs.intake.preparation      comparisons    jobs.aftercare.comparison
    validations     jobs.versions.validation     evaluations    jobs.aftercare.evaluation
    watches         jobs.watches.looks           outputs        jobs.outputs.leasing
    opened pictures jobs.results.opened
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, and_, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from jobs.base.database import db_now
from jobs.base.settings import Settings
from jobs.tables import Table

Row = TypeVar("Row", bound=Table)


def _lease_s(settings: Settings) -> float:
    return settings.lease_s


def _max_turns(settings: Settings) -> int:
    return settings.max_turns


@dataclass(frozen=True, eq=False, kw_only=True)
class Leased(Generic[Row]):
    """A table whose rows are leased: which they are, when one is due, and for how long.

    A lease may be held on a row while it `is_open`. Where the lease has an `owner`, a row is either
    open or due, and what lapses is moved back (jobs.leases.owned). Where it has none, a row is due
    again by itself as soon as its time is over.
    """

    # What working on one is called, in logs.
    name: str
    table: type[Row]
    key: tuple[InstrumentedAttribute[Any], ...]
    fence: InstrumentedAttribute[int]
    until: InstrumentedAttribute[Any]
    owner: InstrumentedAttribute[Any] | None = None
    is_open: ColumnElement[bool]
    # What must hold of the next one; the row with the least `order` comes first.
    due: ColumnElement[bool]
    order: InstrumentedAttribute[Any]
    lease_s: Callable[[Settings], float] = _lease_s
    # How many tries a row has, and what is told of it when they are used up.
    max_attempts: Callable[[Settings], int] = _max_turns
    used_up: str = ""

    @cached_property
    def next_due(self) -> Select[Any]:
        """The key of the row that is to be leased next; built once, for it is asked often."""
        due = [self.due] if self.owner is not None else [self.is_open, self._is_free, self.due]
        return select(*self.key).where(*due).order_by(self.order).limit(1)

    @property
    def has_lapsed(self) -> ColumnElement[bool]:
        """Whether nobody renewed a row in time."""
        return self.until <= db_now()

    @property
    def is_taken(self) -> ColumnElement[bool]:
        """Whether somebody has a row at this moment."""
        return and_(self.is_open, self.until > db_now())

    @property
    def _is_free(self) -> ColumnElement[bool]:
        is_set_always = not self.table.__table__.c[self.until.key].nullable
        return self.has_lapsed if is_set_always else self.until.is_(None) | self.has_lapsed

    def is_one(self, key: Any) -> ColumnElement[bool]:
        """Whether it is the row of a key: a tuple of values, or a query for one row of them."""
        if isinstance(key, tuple):
            return and_(*(column == value for column, value in zip(self.key, key, strict=True)))
        columns: Any = self.key[0] if len(self.key) == 1 else tuple_(*self.key)
        is_it: ColumnElement[bool] = columns == key
        return is_it

    def is_held(self, key: Any, fence: Any) -> ColumnElement[bool]:
        """Whether a lease is still held: the condition of whatever is written under it."""
        return and_(self.is_one(key), self.fence == fence, self.is_open)
