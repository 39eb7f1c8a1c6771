"""What one look sees of jobs: where each stands, and which of its events are new to whom.

A look is one statement for any number of tenants and jobs, and so of one moment.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import BigInteger, Text, column, or_, select, union_all, values
from sqlalchemy.orm import Session

from jobs.base.database import db_now
from jobs.base.states import TERMINAL, JobStatus, Outcome
from jobs.events.numbering import Moment
from jobs.tables import Job, Table

_jobs, _tenants = (Table.metadata.tables[name].c for name in ("jobs", "tenants"))

# Progress is looked for among jobs that had some within this time, in seconds: longer than from one
# look to the next, and than a commit takes.
_RECENT_S = 5.0

_AT: Mapping[Moment, str] = {
    Moment.CREATED: "created_at",
    Moment.BEGUN: "in_progress_at",
    Moment.ENDED: "ended_at",
    Moment.DELETED: "deleted_at",
}
_NUMBERS = tuple(f"{moment}_event" for moment in Moment)
_COUNTS = ("total", "completed", "failed", "cancelled", "expired")
_COLUMNS = [
    _jobs[name]
    for name in ("id", "tenant_id", "status", "outcome", *_COUNTS, *_AT.values(), *_NUMBERS)
] + [_jobs.last_progress_at, _jobs.last_event, db_now().label("now")]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a job, by its number in its tenant's order and its time."""

    number: int
    moment: Moment
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Glimpse:
    """A job as one look saw it, at `now` by the database's clock."""

    id: str
    tenant_id: str
    status: JobStatus
    outcome: Outcome | None
    counts: dict[str, int]
    in_progress_at: float | None
    last_progress_at: float | None
    events: tuple[Event, ...]
    last_event: int
    now: float

    @property
    def is_over(self) -> bool:
        """Whether nothing but its deletion can still happen to the job."""
        return self.status in TERMINAL

    def events_after(self, number: int) -> Iterator[Event]:
        """Give what happened after another event, in order."""
        return (event for event in self.events if event.number > number)


class _Row(Protocol):
    """A row of the statement below, or of the table itself."""

    def __getattr__(self, name: str) -> Any: ...


def last_number(session: Session, tenant_id: str) -> int:
    """Give the number of the last thing that happened to a tenant's jobs; 0 when nothing has."""
    return session.scalar(select(_tenants.events).where(_tenants.id == tenant_id)) or 0


def glimpse(row: Job | _Row, now: float) -> Glimpse:
    """Give what is to be told of a job."""
    return Glimpse(
        id=row.id,
        tenant_id=row.tenant_id,
        status=row.status,
        outcome=row.outcome,
        counts=_counts_of(row),
        in_progress_at=row.in_progress_at,
        last_progress_at=row.last_progress_at,
        events=tuple(_events_of(row)),
        last_event=row.last_event or 0,
        now=now,
    )


def look(
    session: Session,
    after: Mapping[str, int],
    jobs: Collection[str] = (),
    *,
    tenants: Collection[str] = (),
) -> list[Glimpse]:
    """Give each job of the tenants in `after` to which something happened after that number.

    And, as far as they are running, those of `jobs` and of `tenants` that had progress lately.
    """
    wanted = values(column("tenant_id", Text), column("number", BigInteger), name="given")
    given = wanted.data(list(after.items())).cte("seen")
    changed = select(*_COLUMNS).join_from(
        Job.__table__,
        given,
        (_jobs.tenant_id == given.c.tenant_id) & (_jobs.last_event > given.c.number),
    )
    statement: Any = changed
    if jobs or tenants:
        is_watched = or_(_jobs.id.in_(jobs), _jobs.tenant_id.in_(tenants))
        moves = _jobs.ended_at.is_(None) & (_jobs.last_progress_at > db_now() - _RECENT_S)
        statement = union_all(changed, select(*_COLUMNS).where(moves, is_watched))
    rows = session.connection().execute(statement)
    # One that moved and changed comes twice.
    return list({row.id: glimpse(row, row.now) for row in rows}.values())


def in_order(glimpses: Iterable[Glimpse], after: int) -> list[tuple[Event, Glimpse]]:
    """Give what happened to the jobs of one tenant after a number, in order."""
    found = [(event, each) for each in glimpses for event in each.events_after(after)]
    return sorted(found, key=lambda pair: pair[0].number)


def _events_of(row: Any) -> Iterator[Event]:
    for moment, at in _AT.items():
        number = getattr(row, f"{moment}_event")
        if number is None:
            continue
        if moment is Moment.ENDED and number > (row.deleted_event or number):
            # A job that is deleted while its last shard is being claimed ends unseen.
            continue
        yield Event(number, moment, getattr(row, at) or row.created_at)


def _counts_of(row: Any) -> dict[str, int]:
    total, *ended = (getattr(row, name) for name in _COUNTS)
    completed, failed, cancelled, expired = ended
    return {
        "total": total,
        "completed": completed,
        "failed": failed,
        "processing": total - sum(ended),
        "cancelled": cancelled,
        "expired": expired,
    }
