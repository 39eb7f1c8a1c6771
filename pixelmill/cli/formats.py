"""Results as text, written row by row in bounded memory: table, JSON, JSON lines or CSV."""

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any, TextIO

import orjson

from pixelmill.cli.display import printable
from pixelmill.cli.writing import new_text_file
from pixelmill.client.records import Result
from pixelmill.wire.errors import InvalidInput

# Those of the server's own CSV (api.results.rows), which this is to equal letter by letter.
CSV_COLUMNS = (
    "index", "custom_id", "status", "model", "input_sha256", "attempts", "predictions",
    "error_code", "error_message", "error_retryable", "warnings", "width", "height", "fps",
    "duration_ms", "metadata",
)  # fmt: skip

# A spreadsheet runs a cell that begins with one of these as a formula; an apostrophe makes it text
# (https://owasp.org/www-community/attacks/CSV_Injection).
# Some trim a cell first, and some read full-width signs as the plain ones.
_FORMULA_STARTS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_CONTROL_STARTS = ("\t", "\r", "\n")

_SHOWN_PREDICTIONS = 3
_SHOWN_CHARACTERS = 60


class Format(StrEnum):
    """How results are written."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


_BY_SUFFIX = {
    "": Format.TABLE,
    ".txt": Format.TABLE,
    ".json": Format.JSON,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".csv": Format.CSV,
}


def form_of(asked: Format | None, output: Path | None) -> Format:
    """Give the form that was asked for, or the one that the file's suffix names.

    Raises InvalidInput for a suffix that no form has.
    """
    if asked is not None or output is None:
        return asked or Format.TABLE
    form = _BY_SUFFIX.get(output.suffix.lower())
    if form is None:
        raise InvalidInput(
            f"{output} has a suffix that no form of results has; name a file in "
            f"{' '.join(filter(None, _BY_SUFFIX))}, or say --format."
        )
    return form


@contextmanager
def target(output: Path | None) -> Iterator[TextIO]:
    """Give stdout, or a file that appears under its name only when all of it is written."""
    if output is None:
        yield sys.stdout
        return
    with new_text_file(output) as file:
        yield file


def write_results(results: Iterable[Result], form: Format, out: TextIO, *, live: bool) -> None:
    """Write results to `out` in a form; `live` sends each row on its way at once."""

    def flushed() -> Iterable[Result]:
        for result in results:
            yield result
            if live:
                out.flush()

    _WRITERS[form](flushed(), out)


def _write_table(results: Iterable[Result], out: TextIO) -> None:
    # Fixed widths and the free text last: the width of rows to come is not known.
    out.write(f"{'INDEX':>8}  {'STATUS':<10}  {'CUSTOM_ID':<32}  PREDICTION\n")
    for result in results:
        name = printable(result.custom_id or "")
        out.write(f"{result.index:>8}  {result.status:<10}  {name:<32}  {outcome_text(result)}\n")


def _write_json(results: Iterable[Result], out: TextIO) -> None:
    before = "[\n"
    for result in results:
        out.write(before + json.dumps(result.raw))
        before = ",\n"
    out.write("[]\n" if before == "[\n" else "\n]\n")


def _write_jsonl(results: Iterable[Result], out: TextIO) -> None:
    for result in results:
        out.write(json.dumps(result.raw) + "\n")


def _write_csv(results: Iterable[Result], out: TextIO) -> None:
    rows = csv.writer(out)
    rows.writerow(CSV_COLUMNS)
    for result in results:
        rows.writerow([defused(cell) for cell in _csv_cells(result)])


_WRITERS: dict[Format, Callable[[Iterable[Result], TextIO], None]] = {
    Format.TABLE: _write_table,
    Format.JSON: _write_json,
    Format.JSONL: _write_jsonl,
    Format.CSV: _write_csv,
}


def defused(cell: Any) -> Any:
    """Give a cell that no spreadsheet takes for a formula; numbers stay as they are."""
    if not isinstance(cell, str):
        return cell
    is_harmful = cell.startswith(_CONTROL_STARTS) or cell.lstrip().startswith(_FORMULA_STARTS)
    return f"'{cell}" if is_harmful else cell


def _csv_cells(result: Result) -> list[str]:
    raw, error = result.raw, result.raw.get("error") or {}
    cells = {
        **{name: raw.get(name) for name in CSV_COLUMNS},
        **{f"error_{name}": error.get(name) for name in ("code", "message", "retryable")},
        "predictions": _json_text(raw.get("predictions")),
        "warnings": _json_text(raw.get("warnings") or None),
        "metadata": _json_text(raw.get("metadata")),
    }
    return ["" if cell is None else str(cell) for cell in cells.values()]


def _json_text(value: Any) -> str | None:
    # The server's own writer: others write some numbers differently.
    return None if value is None else orjson.dumps(value).decode()


def outcome_text(result: Result) -> str:
    """Say in one short line what became of an item: predictions and warnings, or its error."""
    if result.error:
        return printable(f"{result.error.code}: {result.error.message}")
    predictions = result.predictions or []
    shown = ", ".join(_prediction_text(each) for each in predictions[:_SHOWN_PREDICTIONS])
    more = len(predictions) - _SHOWN_PREDICTIONS
    shown += f", and {more} more" if more > 0 else ""
    return printable(shown + "".join(f" [{warning.code}]" for warning in result.warnings))


def _prediction_text(prediction: dict[str, Any]) -> str:
    if "class" not in prediction:
        text = json.dumps(prediction)
        return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
    confidence = prediction.get("confidence")
    if not isinstance(confidence, int | float):
        return str(prediction["class"])
    return f"{prediction['class']} {confidence:.3f}"
