"""Comparisons of a job with its parent: pairs of rows, read and kept in bounded memory.

    rerun or shadow stored ──► both jobs over ──► leased by an io worker ──► report, changes
                                                     ▲      │
                                                     └──────┘ it died, or the store was away

Leased as jobs.leases says. What similar answers are is not known here (models.answers.agreement,
workers.errands.comparing). The report is some figures; the items that changed are a blob, as many
as they may be, beside the results of the later job.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import ColumnElement, exists, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from jobs.base.bootstrap import Ground
from jobs.base.database import db_now
from jobs.base.errors import NotFound
from jobs.base.storage import Storage
from jobs.kinds.table import kind_of
from jobs.leases.leased import Leased
from jobs.leases.leases import Lease, LeaseLost
from jobs.leases.renewing import Heart
from jobs.queue.completion import TIDY_AFTER_S
from jobs.results.rows import read_rows_by_index
from jobs.results.segments import Row
from jobs.tables import Comparison, Job, ModelVersion

RESULTS_GONE = "The results were erased before they could be compared."

# Changes read at once to serve a page: some megabytes, even of long vectors.
_ROW_GROUP = 256
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


def _is_over(job_id: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    return exists().where(Job.id == job_id, Job.ended_at.is_not(None))


COMPARISONS = Leased(
    name="comparison",
    table=Comparison,
    key=(Comparison.job_id,),
    fence=Comparison.fence,
    until=Comparison.until,
    is_open=Comparison.ended_at.is_(None),
    due=_is_over(Comparison.job_id) & _is_over(Comparison.parent_id),
    order=Comparison.job_id,
    used_up="The results could not be compared in several tries; the operator's logs say why.",
)


@dataclass(frozen=True, slots=True)
class Comparing:
    """A lease on a comparison: of `before`, which ran `version`, with `after`."""

    lease: Lease[Comparison]
    before: Job
    after: Job
    version: ModelVersion


@dataclass(frozen=True, slots=True)
class Change:
    """An item that two versions do not answer alike; `similarity` is None where one errored."""

    before: Row
    after: Row
    similarity: float | None


def comparing(ground: Ground, lease: Lease[Comparison]) -> Comparing:
    """Read what is needed to compute a comparison."""
    with ground.database.read() as session:
        before = session.get_one(Job, lease.row.parent_id)
        version = session.get_one(ModelVersion, (before.model_name, before.model_version))
        return Comparing(lease, before, session.get_one(Job, lease.row.job_id), version)


def pairs(ground: Ground, at: Comparing) -> Iterator[tuple[Row, Row]]:
    """Give each item's row in both jobs, in the order of its index in the first.

    Renews the lease on the way; raises LeaseLost when it is over, BlobMissing when results are
    gone.
    """
    runs = kind_of(at.after).runs_of_parent(at.after, at.before, at.version)
    before = read_rows_by_index(ground, at.before, runs)
    heart = Heart(ground, at.lease)
    for pair in zip(before, read_rows_by_index(ground, at.after), strict=True):
        yield pair
        heart.beat()


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


def end_comparison(
    session: Session,
    lease: Lease[Comparison],
    report: dict[str, Any] | None,
    changes: str | None,
    failure: str | None = None,
) -> None:
    """End a comparison with a report, or with the reason for none; raises LeaseLost."""
    ended = session.scalar(
        update(Comparison)
        .where(lease.is_held)
        .values(report=report, changes=changes, failure=failure, until=None, ended_at=db_now())
        .returning(Comparison.job_id)
    )
    if ended is None:
        raise LeaseLost
    if lease.attempts > 1:
        # An earlier try may have died with its changes written and not named.
        tidy_at = db_now() + TIDY_AFTER_S
        session.execute(update(Job).where(Job.id == lease.row.job_id).values(tidy_at=tidy_at))


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
