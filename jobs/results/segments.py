"""A segment: the immutable Parquet file with one shard's results, one row an item, in index order.

index int64 · custom_id string · status string · input_sha256 string · attempts int32
predictions string (JSON, null when there are none) · error_code, error_message string
error_retryable bool · overlay_offset, overlay_length int64 (null without an overlay)
warnings string (JSON list of {code, message}, null when there are none)
width, height int32 (pixels of the upright original) · fps double, duration_ms int64 (of films)
input_url string (of an item that was named by its URL: that, as far as it may be shown)

This is version 1 of the form, as the file's own metadata says (`pixelmill_segment`). A version only
ever gains columns, at their end; a segment that was written before there was a column has none, one
from before there were versions has no number, and both are read all the same. What data frames find
in a folder of them is told to operators in docs/results.md, so a column that changes its meaning
makes a new version.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from jobs.base.parquet import codec_for
from jobs.base.states import ItemStatus
from jobs.base.storage import Storage

_FAULTS = frozenset(
    {
        "extension_failed",
        "inference_failed",
        "internal_error",
        "model_unusable",
        "out_of_memory",
        "worker_crashed",
    }
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
        ("overlay_offset", pa.int64()),
        ("overlay_length", pa.int64()),
        ("warnings", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("fps", pa.float64()),
        ("duration_ms", pa.int64()),
        ("input_url", pa.string()),
    ],
    metadata={"pixelmill_segment": "1"},
)


_STATUSES = {each.value: each for each in ItemStatus}


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
class ItemWarning:
    """What an item's predictions leave out: a fixed word and a sentence."""

    code: str
    message: str


# Not frozen: a stream of results makes millions, and each would take twice as long.
@dataclass(slots=True)
class Row:
    """What became of one item. Predictions stay the JSON text that they are stored as."""

    index: int
    custom_id: str
    status: ItemStatus
    input_sha256: str | None = None
    attempts: int = 0
    predictions_json: str | None = None
    error: ItemError | None = None
    # Where its result lies drawn, in the blob of the segment's overlays: offset and length.
    overlay: tuple[int, int] | None = None
    warnings: tuple[ItemWarning, ...] = ()
    # Of the upright original, in pixels; None where it was not decoded.
    width: int | None = None
    height: int | None = None
    # Of a film alone.
    fps: float | None = None
    duration_ms: int | None = None
    # Of an item that was named by its URL (jobs.inputs.addresses.shown_url).
    input_url: str | None = None
    # JSON text of an object: what came beside the item. It lies in the manifest (see rows).
    metadata_json: str | None = None

    @property
    def predictions(self) -> list[dict[str, Any]] | None:
        """The predictions, read anew from their text; None when there are none."""
        return None if self.predictions_json is None else json.loads(self.predictions_json)


def to_json(value: object) -> str:
    """Write predictions and what else a row holds as JSON, without blanks."""
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def write_segment(storage: Storage, name: str, rows: Sequence[Row]) -> None:
    """Write the rows of one shard under a name that no other attempt uses."""
    table = pa.Table.from_arrays(
        [
            pa.array([row.index for row in rows], pa.int64()),
            pa.array([row.custom_id for row in rows], pa.string()),
            pa.array([row.status.value for row in rows], pa.string()),
            pa.array([row.input_sha256 for row in rows], pa.string()),
            pa.array([row.attempts for row in rows], pa.int32()),
            pa.array([row.predictions_json for row in rows], pa.string()),
            pa.array([row.error and row.error.code for row in rows], pa.string()),
            pa.array([row.error and row.error.message for row in rows], pa.string()),
            pa.array([row.error and row.error.retryable for row in rows], pa.bool_()),
            pa.array([row.overlay and row.overlay[0] for row in rows], pa.int64()),
            pa.array([row.overlay and row.overlay[1] for row in rows], pa.int64()),
            pa.array([_warnings_json(row.warnings) for row in rows], pa.string()),
            pa.array([row.width for row in rows], pa.int32()),
            pa.array([row.height for row in rows], pa.int32()),
            pa.array([row.fps for row in rows], pa.float64()),
            pa.array([row.duration_ms for row in rows], pa.int64()),
            pa.array([row.input_url for row in rows], pa.string()),
        ],
        schema=SCHEMA,
    )
    with storage.create(name) as sink:
        pq.write_table(table, sink, compression=codec_for(table))


def read_segment(storage: Storage, name: str, start: int = 0) -> Iterator[Row]:
    """Read the rows of a segment, in index order, from row `start` on."""
    file = pq.ParquetFile(pa.BufferReader(storage.get(name)))
    table = file.read(use_threads=False).slice(start)
    found = table.to_pydict()
    columns = [found.get(column, [None] * len(table)) for column in SCHEMA.names]
    for (
        index, custom_id, status, sha256, attempts, predictions, code, message, retryable,
        overlay_offset, overlay_length, warnings, width, height, fps, duration_ms, input_url,
    ) in zip(*columns, strict=True):  # fmt: skip
        yield Row(
            index,
            custom_id,
            _STATUSES[status],
            sha256,
            attempts,
            predictions,
            None if code is None else ItemError(code, message, retryable),
            None if overlay_offset is None else (overlay_offset, overlay_length),
            () if warnings is None else _warnings(warnings),
            width,
            height,
            fps,
            duration_ms,
            input_url,
        )


def count_rows(storage: Storage, name: str, status: ItemStatus, start: int = 0) -> int:
    """Count the rows of one status in a segment, from row `start` on."""
    file = pq.ParquetFile(pa.BufferReader(storage.get(name)))
    table = file.read(columns=["status"], use_threads=False).slice(start)
    statuses: list[str] = table["status"].to_pylist()
    return statuses.count(status.value)


def _warnings_json(warnings: tuple[ItemWarning, ...]) -> str | None:
    return to_json([asdict(each) for each in warnings]) if warnings else None


def _warnings(text: str) -> tuple[ItemWarning, ...]:
    return tuple(ItemWarning(**each) for each in json.loads(text))
