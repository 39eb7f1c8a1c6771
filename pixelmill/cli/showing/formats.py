"""Results in the form that was asked for, in bounded memory.

Row by row as they come: table, JSON, JSON lines, CSV. As the server writes it: every other form.
A new form of the server's is a line of pixelmill/client/results/forms.py and nothing here.
"""

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import orjson

from pixelmill.cli.showing.display import printable
from pixelmill.cli.showing.writing import new_text_file
from pixelmill.client.records import Result
from pixelmill.client.results.forms import FORMS, form_of_file, unknown_form
from pixelmill.client.results.results import Results
from pixelmill.wire.errors import InvalidInput

# Those of the server's own CSV (api.results.rows), which this is to equal letter by letter.
CSV_COLUMNS = (
    "index", "custom_id", "status", "model", "input_sha256", "attempts", "predictions",
    "error_code", "error_message", "error_retryable", "warnings", "width", "height", "fps",
    "duration_ms", "metadata", "input_url",
)  # fmt: skip

# A spreadsheet runs a cell that begins with one of these as a formula; an apostrophe makes it text
# (https://owasp.org/www-community/attacks/CSV_Injection).
# Some trim a cell first, and some read full-width signs as the plain ones.
_FORMULA_STARTS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_CONTROL_STARTS = ("\t", "\r", "\n")

_SHOWN_PREDICTIONS = 3
_SHOWN_CHARACTERS = 60


TABLE = "table"

# By the suffixes of files; those of the server's own forms are asked for first.
_BY_SUFFIX = {
    "": TABLE,
    ".txt": TABLE,
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
}


def form_of(asked: str | None, output: Path | None) -> str:
    """Give the form that was asked for, or the one that the file's suffix names.

    Raises InvalidInput for a form that there is not, with the one that was meant perhaps, and for a
    suffix that no form has.
    """
    known = {**_WRITERS, **_SERVED}
    if asked is not None:
        form = _OTHER_NAMES.get(asked, asked)
        if form not in known:
            raise InvalidInput(unknown_form(asked, known))
        return form
    if output is None:
        return TABLE
    served = form_of_file(output.name)
    form = served if served in _SERVED else _BY_SUFFIX.get(output.suffix.lower(), "")
    if not form:
        suffixes = [*_BY_SUFFIX, *(suffix for each in _SERVED.values() for suffix in each.suffixes)]
        raise InvalidInput(
            f"{output} has a suffix that no form of results has; name a file in "
            f"{' '.join(filter(None, suffixes))}, or say --format."
        )
    return form


def save_results(results: Results, form: str, output: Path | None, *, follow: bool = False) -> None:
    """Write results in a form to a file, complete or not at all, or to stdout."""
    if form in _SERVED:
        _save_served(results, form, output)
        return
    with target(output) as out:
        _WRITERS[form](_flushed(results, out) if follow or out.isatty() else results, out)


def _save_served(results: Results, form: str, output: Path | None) -> None:
    if output is not None:
        results.save(output, form)
        return
    if sys.stdout.isatty() and form in _NO_TEXT:
        raise InvalidInput(f"{form} is no text for a terminal: name a file with -o.")
    for block in results.blocks(form):
        sys.stdout.buffer.write(block)


def _flushed(results: Iterable[Result], out: TextIO) -> Iterator[Result]:
    """Give results one by one, each sent on its way before the next is asked for."""
    for result in results:
        yield result
        out.flush()


@contextmanager
def target(output: Path | None) -> Iterator[TextIO]:
    """Give stdout, or a file that appears under its name only when all of it is written."""
    if output is None:
        yield sys.stdout
        return
    with new_text_file(output) as file:
        yield file


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


_WRITERS: dict[str, Callable[[Iterable[Result], TextIO], None]] = {
    TABLE: _write_table,
    "json": _write_json,
    "jsonl": _write_jsonl,
    "csv": _write_csv,
}
_OTHER_NAMES = {"ndjson": "jsonl"}
# Rows are read page by page where they can be: what breaks on the way is read on, not anew.
_SERVED = {name: form for name, form in FORMS.items() if name not in ("ndjson", "csv")}
_NO_TEXT = ("parquet", "yolo")


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
