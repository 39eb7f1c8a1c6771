"""A segment: the immutable Parquet file with one shard's results, one row an item, in index order.

index int64 · custom_id string · status string · input_sha256 string · attempts int32
predictions string (JSON, null when there are none) · error_code, error_message string
error_retryable bool
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.states import ItemStatus
from jobs.storage import Storage

_FAULTS = frozenset(
    {"inference_failed", "internal_error", "model_unusable", "out_of_memory", "worker_crashed"}
)

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
    ]
)


@dataclass(frozen=True, slots=True)
class ItemError:
    """Why an item has no predictions: a fixed word, a sentence, and whether to try again."""

    code: str
    message: str
    retryable: bool = False

    @property
    def is_fault(self) -> bool:
        """Whether the network or the machine is to blame, and not the item's own bytes."""
        return self.code in _FAULTS


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
        ],
        schema=SCHEMA,
    )
    with storage.create(name) as sink:
        pq.write_table(table, sink, compression="zstd")


def read_segment(storage: Storage, name: str) -> Iterator[Row]:
    """Read the rows of a segment, in index order."""
    columns = pq.read_table(pa.BufferReader(storage.get(name)), schema=SCHEMA).to_pydict()
    for index, custom_id, status, sha256, attempts, predictions, code, message, retryable in zip(
        *columns.values(), strict=True
    ):
        yield Row(
            index=index,
            custom_id=custom_id,
            status=ItemStatus(status),
            input_sha256=sha256,
            attempts=attempts,
            predictions=None if predictions is None else json.loads(predictions),
            error=None if code is None else ItemError(code, message, retryable),
        )


def _to_json(predictions: list[dict[str, Any]] | None) -> str | None:
    if predictions is None:
        return None
    return json.dumps(predictions, separators=(",", ":"), ensure_ascii=False)
