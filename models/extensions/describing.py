"""What a record of an operator's own architecture leaves out, read from its module."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from models.contracts import CONTRACTS
from models.extensions.loading import Own
from models.records.errors import RecordError
from models.records.record import VIDEO_LIMITS

_VIDEOS = "video-classification"


def describe(
    own: Own, asked: Mapping[str, Any], shapes: Mapping[str, Sequence[int]]
) -> Mapping[str, Any]:
    """Give the members of a record that an architecture says, and what its task has by default.

    `asked` is what was said of the record, `shapes` those of the weights' tensors. Raises
    RecordError naming what neither says.
    """
    read = own.describe(asked, shapes)
    task = asked.get("task") or read.get("task") or ""
    if not task:
        raise RecordError(
            f"Neither the record nor {own} says what it does: push it with --task "
            f"({', '.join(CONTRACTS)})."
        )
    if task == "embedding":
        read = {"labels": ["embedding"], **read}
    if not (asked.get("labels") or read.get("labels")):
        raise RecordError(
            f"Neither the record nor {own} names its classes: push it with --labels (a file with a "
            "name a line, or cat,dog), in the order of its outputs."
        )
    if own.says.prepare is not None:
        read = {**read, "preprocess": {"channels": 3, **read.get("preprocess", {})}}
    elif not (asked.get("preprocess") or read.get("preprocess")):
        raise RecordError(
            f"Neither the record nor {own} says how pictures are prepared: push it with --record "
            "(its `preprocess`), or have the module say it."
        )
    if task == _VIDEOS:
        read = {"input_kind": "video", "limits": asdict(VIDEO_LIMITS), **read}
    return {**read, "task": task}
