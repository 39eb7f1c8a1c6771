"""Parquet, as a stream of row groups: typed columns, and predictions as lists of structs.

`metadata` is the one column that stays JSON text: what came beside items differs from one to the
next. Members of predictions that the task's contract does not name are left out. Rows become
columns by way of their JSON lines, which Arrow reads as a whole: row by row it would take five
times as long.
"""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.json
import pyarrow.parquet as pq

from jobs.forms.arrow_types import schema_of
from jobs.forms.export import Export
from jobs.forms.lines import rows_json
from jobs.forms.pieces import Pieces
from jobs.results.segments import Row, to_json

# A group is what is held in memory at a time; readers like large ones.
_ROWS_A_GROUP = 10_000
_CHARACTERS_A_GROUP = 4 * 1024 * 1024


def write(export: Export) -> Iterator[bytes]:
    """Write the rows as one Parquet file; its columns are `schema_of` their predictions."""
    schema = schema_of(export.prediction)
    groups = _groups(export)
    out = Pieces()
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        for lines in groups:
            writer.write_table(_table(lines, schema))
            yield out.take()
    yield out.take()


def _groups(export: Export) -> Iterator[list[str]]:
    """Give the JSON lines of a group of rows after another."""
    lines: list[str] = []
    size = 0
    rows = (_with_text(row, is_typed=export.prediction is not None) for row in export.rows())
    for line in rows_json(export.job, rows):
        lines.append(line)
        size += len(line)
        if len(lines) == _ROWS_A_GROUP or size >= _CHARACTERS_A_GROUP:
            yield lines
            lines, size = [], 0
    if lines:
        yield lines


def _with_text(row: Row, *, is_typed: bool) -> Row:
    """Put what has no type of its own into quotes."""
    if row.metadata_json is not None:
        row.metadata_json = to_json(row.metadata_json)
    if not is_typed and row.predictions_json is not None:
        row.predictions_json = to_json(row.predictions_json)
    return row


def _table(lines: list[str], schema: pa.Schema) -> pa.Table:
    text = "\n".join(lines).encode()
    table = pyarrow.json.read_json(
        pa.BufferReader(text),
        # One block: no row may be longer than one.
        pyarrow.json.ReadOptions(use_threads=False, block_size=len(text) + 1),
        pyarrow.json.ParseOptions(
            explicit_schema=_nullable(schema), unexpected_field_behavior="ignore"
        ),
    )
    return table.cast(schema)


def _nullable(schema: pa.Schema) -> pa.Schema:
    return pa.schema([field.with_nullable(True) for field in schema])
