"""The forms of results that are streamed, and the tasks whose results can be told in each.

A new form is one file with a `write`, and one line here.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from api.results.forms import (
    coco,
    csv_table,
    geojson,
    label_studio,
    yolo,
)
from jobs.base.errors import InvalidRequest
from jobs.forms import ndjson, parquet
from jobs.forms.export import Export

# The one that is not streamed but read page by page.
PAGES = "json"


@dataclass(frozen=True)
class Form:
    """How results are written: `write` gives the bytes of an export in order.

    `tasks` are those whose results can be told so, None for all jobs; `reasons` says why not, of
    tasks where one would ask. What `is_packed` is compressed in itself.
    """

    write: Callable[[Export], Iterator[bytes]]
    media_type: str
    suffix: str
    tasks: frozenset[str] | None = None
    is_packed: bool = False
    reasons: Mapping[str, str] = field(default_factory=dict)


_BOXED = frozenset({"detection", "segmentation"})
_LABELLED = _BOXED | {"classification", "zero-shot-classification", "video-classification"}
_FILMS = {"video-classification": "it is about pictures, and this job's items are films"}
_MASKS = {
    "segmentation": "its segments are polygons without holes, which would not be this job's masks; "
    "coco has them as they are"
}

FORMS: Mapping[str, Form] = {
    "ndjson": Form(ndjson.write, "application/x-ndjson", ".ndjson"),
    "csv": Form(csv_table.write, "text/csv; charset=utf-8", ".csv"),
    "parquet": Form(parquet.write, "application/vnd.apache.parquet", ".parquet", is_packed=True),
    "coco": Form(
        coco.write, "application/vnd.pixelmill.coco+json", ".coco.json", _BOXED, reasons=_FILMS
    ),
    "yolo": Form(
        yolo.write, "application/zip", ".zip", frozenset({"detection"}), True, _FILMS | _MASKS
    ),
    "label-studio": Form(
        label_studio.write,
        "application/vnd.pixelmill.label-studio+json",
        ".label-studio.json",
        _LABELLED,
    ),
    "geojson": Form(geojson.write, "application/geo+json", ".geojson", _BOXED, reasons=_FILMS),
}


def check_form(name: str) -> None:
    """Refuse a form that there is not; raises InvalidRequest with the one that was meant."""
    names = [PAGES, *FORMS]
    if name not in names:
        near = get_close_matches(name.lower(), names, 1)
        meant = f"; did you mean {near[0]!r}?" if near else "."
        raise InvalidRequest(
            f"There is no format {name[:40]!r}{meant} Use one of {', '.join(names)}.",
            param="format",
        )


def form_of(name: str, task: str | None) -> Form:
    """Give a form for a job's task; raises InvalidRequest naming those that the task has."""
    form = FORMS[name]
    if form.tasks is not None and task not in form.tasks:
        there = [PAGES, *(each for each in FORMS if _is_for(FORMS[each], task))]
        reason = form.reasons.get(task or "")
        raise InvalidRequest(
            f"Results of {task or 'a training'} have no format {name!r}"
            f"{f': {reason}' if reason else ''}. This job has {', '.join(there)}.",
            param="format",
        )
    return form


def _is_for(form: Form, task: str | None) -> bool:
    return form.tasks is None or task in form.tasks
