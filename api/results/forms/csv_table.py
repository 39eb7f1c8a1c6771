"""CSV: a header and an item a line; predictions as JSON, and nothing that computes."""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import asdict

from jobs.forms.export import Export, chunked
from jobs.results.segments import Row, to_json

_COLUMNS = (
    "index",
    "custom_id",
    "status",
    "model",
    "input_sha256",
    "attempts",
    "predictions",
    "error_code",
    "error_message",
    "error_retryable",
    "warnings",
    "width",
    "height",
    "fps",
    "duration_ms",
    "metadata",
    "input_url",
)

# A spreadsheet takes a cell that begins so for a formula, whoever wrote it.
# https://owasp.org/www-community/attacks/CSV_Injection
# Some trim a cell first, and some read full-width signs as the plain ones.
_FORMULA_STARTS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_CONTROL_STARTS = ("\t", "\r", "\n")


def write(export: Export) -> Iterator[bytes]:
    """Write the header and a row a line."""
    rows = export.rows()
    yield _line(_COLUMNS).encode()
    yield from chunked(_line(_cells(export.model, row)) for row in rows)


def harmless(value: object) -> str:
    """Give a cell's text; an apostrophe before what a spreadsheet would compute."""
    text = "" if value is None else str(value)
    is_harmful = text.startswith(_CONTROL_STARTS) or text.lstrip().startswith(_FORMULA_STARTS)
    return f"'{text}" if is_harmful else text


def _cells(model: str, row: Row) -> list[str]:
    """Give a row's cells, in the order of `_COLUMNS`."""
    error = row.error
    cells = (
        row.index,
        row.custom_id,
        row.status.value,
        model,
        row.input_sha256,
        row.attempts,
        row.predictions_json,
        error and error.code,
        error and error.message,
        error and error.retryable,
        to_json([asdict(each) for each in row.warnings]) if row.warnings else None,
        row.width,
        row.height,
        row.fps,
        row.duration_ms,
        row.metadata_json,
        row.input_url,
    )
    return [harmless(cell) for cell in cells]


def _line(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()
