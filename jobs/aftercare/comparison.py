"""Comparisons of a job with its parent: pairs of rows, read and kept in bounded memory.

    rerun or shadow stored ──► both jobs over ──► claimed by an io worker ──► report, changes
                                                     ▲      │
                                                     └──────┘ it died, or the store was away

A comparison is leased like a preparation is: claimed with a number, renewed on the way, and ended
only under that number. What similar answers are is not known here (models.answers.agreement,
workers.errands.comparing). The report is some figures; the items that changed are a blob, as many
as they may be, beside the results of the later job.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session, aliased

from jobs.base.bootstrap import Ground
from jobs.base.database import Database, db_now
from jobs.base.errors import NotFound
from jobs.base.states import JobKind
from jobs.base.storage import Storage, changes_name
from jobs.queue.completion import TIDY_AFTER_S
from jobs.queue.shadows import sampled_runs_of
from jobs.results.rows import read_rows_by_index
from jobs.results.segments import Row
from jobs.tables import Comparison, Job, ModelVersion

RESULTS_GONE = "The results were erased before they could be compared."

# Changes read at once to serve a page: some megabytes, even of long vectors.
_ROW_GROUP = 256
# How long a comparison waits before it is tried again when the store was away.
_PAUSE_S = 5.0

_SCHEMA = pa.schema(
    [
        ("index", pa.int64()),
        ("custom_id", pa.string()),
        ("similarity", pa.float64()),
        # Rows as JSON: {"status", "predictions", "error"}.
        ("before", pa.string()),
        ("after", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Turn:
    """The right to compute one comparison: of `before`, which ran `version`, with `after`."""

    before: Job
    after: Job
    version: ModelVersion
    attempt: int


@dataclass(frozen=True, slots=True)
class Change:
    """An item that two versions do not answer alike; `similarity` is None where one errored."""

    before: Row
    after: Row
    similarity: float | None


class TurnLost(Exception):
    """Another worker computes the comparison by now, or it is not wanted any more."""


def has_uncompared(database: Database) -> bool:
    """Say whether a comparison waits to be computed; a read that disturbs nobody."""
    with database.read() as session:
        return session.scalar(_waiting()) is not None


def is_being_compared(database: Database, job_id: str) -> bool:
    """Say whether a worker computes the comparison of a job at this moment."""
    with database.read() as session:
        found = session.get(Comparison, job_id)
        now = session.scalar(select(db_now())) or 0.0
    return found is not None and found.ended_at is None and (found.until or 0.0) > now


def claim_next(ground: Ground) -> Turn | None:
    """Claim the comparison that has waited for longest; None when none waits."""
    if not has_uncompared(ground.database):
        return None
    with ground.database.write() as session:
        oldest = _waiting().with_for_update(skip_locked=True, of=Comparison).scalar_subquery()
        found = session.scalar(
            update(Comparison)
            .where(Comparison.job_id == oldest, Comparison.ended_at.is_(None))
            .values(
                attempt=Comparison.attempt + 1,
                until=db_now() + ground.settings.lease_s,
            )
            .returning(Comparison)
        )
        if found is None:
            return None
        before = session.get_one(Job, found.parent_id)
        version = session.get_one(ModelVersion, (before.model_name, before.model_version))
        return Turn(before, session.get_one(Job, found.job_id), version, found.attempt)


def pairs(ground: Ground, turn: Turn) -> Iterator[tuple[Row, Row]]:
    """Give each item's row in both jobs, in the order of its index in the first.

    Renews the turn on the way; raises TurnLost when it is over, BlobMissing when results are gone.
    """
    runs = None
    if turn.after.kind is JobKind.SHADOW:
        runs = sampled_runs_of(turn.after, turn.before, turn.version)
    before = read_rows_by_index(ground, turn.before, runs)
    renew_s = ground.settings.renew_s
    due = time.monotonic() + renew_s
    for pair in zip(before, read_rows_by_index(ground, turn.after), strict=True):
        yield pair
        if time.monotonic() > due:
            due = time.monotonic() + renew_s
            _renew(ground, turn)


class ChangesWriter:
    """Writes the items that changed, in the order in which they come."""

    def __init__(self, sink: Any) -> None:
        self._parquet = pq.ParquetWriter(sink, _SCHEMA, compression="zstd")
        self._waiting: list[Change] = []
        self.count = 0

    def add(self, change: Change) -> None:
        """Add one change."""
        self.count += 1
        self._waiting.append(change)
        if len(self._waiting) == _ROW_GROUP:
            self._flush()

    def close(self) -> None:
        """Write what is left, and the end of the file."""
        self._flush()
        self._parquet.close()

    def _flush(self) -> None:
        if self._waiting:
            rows = [_as_columns(change) for change in self._waiting]
            self._parquet.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA))
            self._waiting.clear()


@contextmanager
def writing_changes(storage: Storage, name: str) -> Iterator[ChangesWriter]:
    """Write a blob of changes; it exists once the block has ended without an exception."""
    with storage.create(name) as sink:
        writer = ChangesWriter(sink)
        yield writer
        writer.close()


def new_changes_name(turn: Turn) -> str:
    """Name the changes of this turn."""
    return changes_name(turn.after.id)


def end_comparison(
    session: Session,
    turn: Turn,
    report: dict[str, Any] | None,
    changes: str | None,
    failure: str | None = None,
) -> None:
    """End a comparison with a report, or with the reason for none; raises TurnLost."""
    ended = session.scalar(
        update(Comparison)
        .where(*_held(turn))
        .values(report=report, changes=changes, failure=failure, until=None, ended_at=db_now())
        .returning(Comparison.job_id)
    )
    if ended is None:
        raise TurnLost
    if turn.attempt > 1:
        # An earlier turn may have died with its changes written and not named.
        tidy_at = db_now() + TIDY_AFTER_S
        session.execute(update(Job).where(Job.id == turn.after.id).values(tidy_at=tidy_at))


def give_back(ground: Ground, turn: Turn) -> None:
    """End a turn as if it had not been taken, to be taken again after a pause."""
    with ground.database.write() as session:
        session.execute(
            update(Comparison)
            .where(*_held(turn))
            .values(attempt=Comparison.attempt - 1, until=db_now() + _PAUSE_S)
        )


def get_comparison(session: Session, job: Job) -> Comparison:
    """Give the comparison of a job with its parent; raises NotFound where there is none."""
    comparison = session.get(Comparison, job.id)
    if comparison is None:
        raise NotFound(
            f"Job {job.id} has no comparison: only a rerun is compared, with the job whose items "
            "it runs, and not after one of the two was deleted."
        )
    return comparison


def read_changes(ground: Ground, comparison: Comparison, after: int, limit: int) -> list[Any]:
    """Give up to `limit` changes after the first `after` of them, as dicts.

    Raises NotFound when they are not there yet, or any more.
    """
    if comparison.changes is None:
        why = "were erased with the results" if comparison.ended_at else "are not known yet"
        raise NotFound(f"The changes of job {comparison.job_id} {why}.")
    file = pq.ParquetFile(ground.storage.open(comparison.changes))
    found: list[dict[str, Any]] = []
    stop = min(after + limit, file.metadata.num_rows)
    for group in range(after // _ROW_GROUP, -(-stop // _ROW_GROUP)):
        rows = file.read_row_group(group).to_pylist()
        start = group * _ROW_GROUP
        found += rows[max(0, after - start) : stop - start]
    return [row | {side: json.loads(row[side]) for side in ("before", "after")} for row in found]


def _waiting() -> Select[str]:
    after, before = aliased(Job), aliased(Job)
    return (
        select(Comparison.job_id)
        .join(after, after.id == Comparison.job_id)
        .join(before, before.id == Comparison.parent_id)
        .where(
            Comparison.ended_at.is_(None),
            Comparison.until.is_(None) | (Comparison.until < db_now()),
            after.ended_at.is_not(None),
            before.ended_at.is_not(None),
        )
        .order_by(Comparison.job_id)
        .limit(1)
    )


def _held(turn: Turn) -> tuple[Any, ...]:
    return (
        Comparison.job_id == turn.after.id,
        Comparison.attempt == turn.attempt,
        Comparison.ended_at.is_(None),
    )


def _renew(ground: Ground, turn: Turn) -> None:
    with ground.database.write() as session:
        until = db_now() + ground.settings.lease_s
        renewed = update(Comparison).where(*_held(turn)).values(until=until)
        if session.scalar(renewed.returning(Comparison.job_id)) is None:
            raise TurnLost


def _as_columns(change: Change) -> dict[str, Any]:
    return {
        "index": change.before.index,
        "custom_id": change.before.custom_id,
        "similarity": change.similarity,
        "before": _answer(change.before),
        "after": _answer(change.after),
    }


def _answer(row: Row) -> str:
    error = None if row.error is None else asdict(row.error)
    answer = {"status": row.status.value, "predictions": row.predictions, "error": error}
    return json.dumps(answer, separators=(",", ":"), ensure_ascii=False)
