"""A job's results as callers read them: rows of a page, NDJSON, CSV."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from pydantic import BaseModel

from jobs.segments import Row
from jobs.states import ItemStatus
from jobs.tables import Job

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
)

# A spreadsheet takes a cell that begins so for a formula, whoever wrote it.
# https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

# Rows that leave in one piece: small enough to be live, large enough to be cheap.
_ROWS_A_CHUNK = 64


class ItemFault(BaseModel):
    """Why an item has no predictions."""

    code: str
    message: str
    retryable: bool


class ItemNotice(BaseModel):
    """What an item's predictions leave out, such as the damaged end of a video."""

    code: str
    message: str


class ResultItem(BaseModel):
    """What became of one item: `predictions` if it succeeded, else `error`."""

    index: int
    custom_id: str
    status: ItemStatus
    model: str
    input_sha256: str | None
    attempts: int
    predictions: list[dict[str, Any]] | None
    error: ItemFault | None
    warnings: list[ItemNotice]


class PredictionView(ResultItem):
    """The result of a job of one item, and that job's id."""

    job_id: str


class ResultPage(BaseModel):
    """Rows in the order of their commit; `last_id` is the cursor for the next page."""

    object: Literal["list"] = "list"
    data: list[ResultItem]
    first_id: str | None
    last_id: str | None
    has_more: bool


def result_row(job: Job, row: Row) -> dict[str, Any]:
    """Show one row; a plain dict, because a page has a thousand of them and a stream millions."""
    error = row.error
    return {
        "index": row.index,
        "custom_id": row.custom_id,
        "status": row.status.value,
        "model": f"{job.model_name}@{job.model_version}#{job.model_digest}",
        "input_sha256": row.input_sha256,
        "attempts": row.attempts,
        "predictions": row.predictions,
        "error": error
        and {"code": error.code, "message": error.message, "retryable": error.retryable},
        "warnings": [{"code": each.code, "message": each.message} for each in row.warnings],
    }


def ndjson(job: Job, rows: Iterable[Row]) -> Iterator[str]:
    """Write a row a line."""
    lines = (json.dumps(result_row(job, row), ensure_ascii=False) + "\n" for row in rows)
    return _chunked(lines)


def as_csv(job: Job, rows: Iterable[Row]) -> Iterator[str]:
    """Write a header and a row a line; predictions as JSON, nothing that computes."""
    header = _csv_line(_COLUMNS)
    lines = (_csv_line(_cells(result_row(job, row))) for row in rows)
    yield header
    yield from _chunked(lines)


def _cells(row: dict[str, Any]) -> list[str]:
    error = row.pop("error") or {}
    predictions = row["predictions"]
    row["predictions"] = None if predictions is None else json.dumps(predictions)
    row["warnings"] = json.dumps(row["warnings"]) if row["warnings"] else None
    row |= {f"error_{name}": error.get(name) for name in ("code", "message", "retryable")}
    return [_harmless(row[column]) for column in _COLUMNS]


def _harmless(value: object) -> str:
    text = "" if value is None else str(value)
    return "'" + text if text.startswith(_FORMULA_STARTS) else text


def _csv_line(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


def _chunked(lines: Iterable[str]) -> Iterator[str]:
    chunk: list[str] = []
    for line in lines:
        chunk.append(line)
        if len(chunk) == _ROWS_A_CHUNK:
            yield "".join(chunk)
            chunk.clear()
    if chunk:
        yield "".join(chunk)
