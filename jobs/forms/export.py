"""What a form is made of: a job, what its model does, and its rows, to be read as often as asked.

The rows are those that were there when the answer began, and never change: a form that needs them
several times, as COCO lists images first and boxes then, reads them again and spools nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import orjson
from pydantic import BaseModel

from jobs.base.bootstrap import Ground
from jobs.base.states import ItemStatus
from jobs.kinds.table import kind_of
from jobs.results.segments import ItemError, Row
from jobs.tables import Job
from jobs.versions.names import shown_name
from jobs.versions.registry import read_version

# Texts that leave in one piece: small enough to be live, large enough to be cheap.
_A_CHUNK = 64
_SILENT_ROWS = 1000

# Why an item that was answered cannot be told in shares of its picture.
NO_SIZE = ItemError(
    "size_unknown",
    "The item ran before results told the sizes of pictures; run the job again to have it here.",
)


@dataclass(frozen=True)
class Export:
    """A job's results: `rows` begins to read them anew each time that it is called."""

    job: Job
    # None of a training, whose one answer is no prediction of an item.
    task: str | None
    labels: Sequence[str]
    rows: Callable[[], Iterator[Row]]
    # What the task's contract says of one prediction; None where no task's is known.
    prediction: type[BaseModel] | None = None

    @property
    def model(self) -> str:
        """The version as every row names it: `digits@1#sha256:…`."""
        return model_of(self.job)


def model_of(job: Job) -> str:
    """Give the version that a job ran, and the digest of its weights."""
    return f"{shown_name(job.model_name)}@{job.model_version}#{job.model_digest}"


def task_and_labels(ground: Ground, job: Job) -> tuple[str | None, Sequence[str]]:
    """Give what a job's model does and the names that `class_id` counts.

    Labels that came with the job stand for those of its model.
    """
    if not kind_of(job).has_version:
        return None, ()
    with ground.database.read() as session:
        version = read_version(session, job.model_name, job.model_version)
    return version.task, job.params.get("labels") or version.labels


def predictions_of(row: Row) -> list[dict[str, Any]]:
    """Read an item's predictions; none of one that failed."""
    found: list[dict[str, Any]] = orjson.loads(row.predictions_json or "[]")
    return found


def has_size(row: Row) -> bool:
    """Whether an item was answered and the size of its picture is known."""
    return row.status is ItemStatus.SUCCEEDED and bool(row.width and row.height)


def size_of(row: Row) -> tuple[int, int]:
    """Give width and height of a picture, in pixels, of which `has_size` holds."""
    assert row.width
    assert row.height
    return row.width, row.height


def fault_of(row: Row, without_size: ItemError | None = None) -> dict[str, Any] | None:
    """Say why a form has no predictions of an item, as all forms write it; None where it has.

    An item that never ran has a status and no error. `without_size` is what a form says of an item
    whose picture's size it needs and does not know.
    """
    if row.status is ItemStatus.SUCCEEDED and (without_size is None or has_size(row)):
        return None
    error = without_size if row.status is ItemStatus.SUCCEEDED else row.error
    told = {"code": error.code, "message": error.message} if error else None
    return {"status": row.status.value, "error": told}


def begun(rows: Iterable[Row]) -> Iterator[Row]:
    """Read the first row now, while an error can still be told as one."""
    rows = iter(rows)
    return chain(list(islice(rows, 1)), rows)


def chunked(texts: Iterable[str]) -> Iterator[bytes]:
    """Put texts together to pieces that are worth sending."""
    texts = iter(texts)
    while chunk := list(islice(texts, _A_CHUNK)):
        yield "".join(chunk).encode()


def separated(texts: Iterable[str | None]) -> Iterator[str]:
    """Give the elements of a JSON array with commas between them; None stands for a row without.

    After many of those a blank goes out: a connection that says nothing for long is given up.
    """
    before = ""
    silent = 0
    for text in texts:
        if text is not None:
            yield before + text
            before = ","
            continue
        silent += 1
        if silent % _SILENT_ROWS == 0:
            yield " "
