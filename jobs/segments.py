"""A segment: the immutable Parquet file with one shard's results, one row an item, in index order.

index int64 · custom_id string · status string · input_sha256 string · attempts int32
predictions string (JSON, null when there are none) · error_code, error_message string
error_retryable bool · warnings string (JSON list of {code, message}, null when there are none)

A segment that was written before there were warnings has no such column and is read all the same.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.states import ItemStatus
from jobs.storage import Storage

SCHEMA = pa.schema(
    [
        ("index", pa.int64()),
        ("custom_id", pa.string()),
        ("status", pa.string()),
        ("input_sha256", pa.string()),
        ("attempts", pa.int32()),
        ("predictions", pa.string()),
        ("error_code", pa.string()),
        ("error_message", pa.string()),
        ("error_retryable", pa.bool_()),
        ("warnings", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class ItemError:
    """Why an item has no predictions: a fixed word, a sentence, and whether to try again."""

    code: str
    message: str
    retryable: bool = False


@dataclass(frozen=True, slots=True)
class ItemWarning:
    """What an item's predictions leave out: a fixed word and a sentence."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one item."""

    index: int
    custom_id: str
    status: ItemStatus
    input_sha256: str | None = None
    attempts: int = 0
    predictions: list[dict[str, Any]] | None = None
    error: ItemError | None = None
    warnings: tuple[ItemWarning, ...] = ()


def write_segment(storage: Storage, name: str, rows: Sequence[Row]) -> None:
    """Write the rows of one shard under a name that no other attempt uses."""
    table = pa.Table.from_arrays(
        [
            pa.array([row.index for row in rows], pa.int64()),
            pa.array([row.custom_id for row in rows], pa.string()),
            pa.array([row.status.value for row in rows], pa.string()),
            pa.array([row.input_sha256 for row in rows], pa.string()),
            pa.array([row.attempts for row in rows], pa.int32()),
            pa.array([_to_json(row.predictions) for row in rows], pa.string()),
            pa.array([row.error and row.error.code for row in rows], pa.string()),
            pa.array([row.error and row.error.message for row in rows], pa.string()),
            pa.array([row.error and row.error.retryable for row in rows], pa.bool_()),
            pa.array([_to_json(_plain(row.warnings)) for row in rows], pa.string()),
        ],
        schema=SCHEMA,
    )
    with storage.create(name) as sink:
        pq.write_table(table, sink, compression="zstd")


def read_segment(storage: Storage, name: str) -> Iterator[Row]:
    """Read the rows of a segment, in index order."""
    columns = pq.read_table(pa.BufferReader(storage.get(name)), schema=SCHEMA).to_pydict()
    for values in zip(*columns.values(), strict=True):
        index, custom_id, status, sha256, attempts, predictions, *error, warnings = values
        yield Row(
            index=index,
            custom_id=custom_id,
            status=ItemStatus(status),
            input_sha256=sha256,
            attempts=attempts,
            predictions=None if predictions is None else json.loads(predictions),
            error=None if error[0] is None else ItemError(*error),
            warnings=tuple(ItemWarning(**each) for each in json.loads(warnings or "[]")),
        )


def _plain(warnings: tuple[ItemWarning, ...]) -> list[dict[str, Any]] | None:
    return [asdict(each) for each in warnings] or None


def _to_json(values: list[dict[str, Any]] | None) -> str | None:
    if values is None:
        return None
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False)
