"""The tasks that networks can do, by name. A new one is one file and one line here."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from models.tasks import (
    classification,
    detection,
    embedding,
    segmentation,
    video_classification,
    zero_shot_classification,
)
from models.tasks.task import Task, VideoTask

Entry = TypeVar("Entry")


def table(entries: Iterable[tuple[str, Entry]]) -> dict[str, Entry]:
    """Return a dict of named entries; raises ValueError when two bear the same name."""
    named: dict[str, Entry] = {}
    for name, entry in entries:
        if name in named:
            raise ValueError(f"{name!r} is registered twice; give one of them another name.")
        named[name] = entry
    return named


TASKS: Mapping[str, Task] = table(
    (each.TASK.name, each.TASK)
    for each in (classification, detection, embedding, segmentation, zero_shot_classification)
)

VIDEO_TASKS: Mapping[str, VideoTask] = table(
    (each.TASK.name, each.TASK) for each in (video_classification,)
)
