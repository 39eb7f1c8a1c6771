"""How much two versions' answers to one item agree: a similarity from 0 to 1 for each task.

    classification   1 if the first class is the same, else 0; zero-shot too
    detection        F1 of the boxes: pairs of one class that overlap by half (IoU >= 0.5)
    segmentation     mean over the classes of the IoU of their pixels (masks of a class united)
    embedding        cosine of the vectors
    video            seconds with the same class in both, over the seconds with a class in either

From `same_from` on two answers count as the same. Predictions are those of `models.contracts`;
classes are told by name, because versions may number them differently. Needs no torch.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.answers import rle
from models.answers.measures import box_iou

Answer = Sequence[Mapping[str, Any]]

# The least overlap that says that two boxes mean one object: COCO's and PASCAL VOC's first.
_LEAST_IOU = 0.5


@dataclass(frozen=True)
class Measure:
    """How answers of a task are held against each other."""

    name: str
    same_from: float
    similarity: Callable[[Answer, Answer], float]
    # Whether answers without a class in common cannot be the same, for classes that a record names.
    by_class: bool = True
    # Whether an answer begins with the one class that it is.
    with_first_class: bool = False


def measure_of(task: str) -> Measure:
    """Return a task's measure."""
    return MEASURES[task]


def first_class(answer: Answer) -> str | None:
    """Return the class that an answer begins with, the most confident; None for no class."""
    return str(answer[0]["class"]) if answer and "class" in answer[0] else None


def _first_class_is_the_same(one: Answer, other: Answer) -> float:
    return float(first_class(one) == first_class(other))


def _boxes_f1(one: Answer, other: Answer) -> float:
    if not one and not other:
        return 1.0
    return 2 * _matched(one, other) / (len(one) + len(other))


def _matched(one: Answer, other: Answer) -> int:
    """Count the pairs of one class, each box once: the largest overlaps first."""
    if not one or not other:
        return 0
    overlaps = box_iou(_corners(one), _corners(other))
    for row, mine in enumerate(one):
        for column, theirs in enumerate(other):
            if mine["class"] != theirs["class"]:
                overlaps[row, column] = 0.0
    count = 0
    while (best := float(overlaps.max())) >= _LEAST_IOU:
        row, column = np.argwhere(overlaps == best)[0]
        overlaps[row, :] = overlaps[:, column] = 0.0
        count += 1
    return count


def _corners(answer: Answer) -> NDArray[np.floating]:
    boxes = np.array([[each["box"][name] for name in _SIDES] for each in answer], float)
    boxes[:, 2:] += boxes[:, :2]
    return boxes


_SIDES = ("x", "y", "width", "height")


def _mean_iou(one: Answer, other: Answer) -> float:
    """A class that only one of the answers has counts as 0."""
    mine, theirs = _pixels(one), _pixels(other)
    ious: list[float] = []
    for name in mine.keys() | theirs.keys():
        if name not in mine or name not in theirs or mine[name].shape != theirs[name].shape:
            ious.append(0.0)
            continue
        both, either = (mine[name] & theirs[name]).sum(), (mine[name] | theirs[name]).sum()
        ious.append(float(both) / max(float(either), 1.0))
    return float(np.mean(ious)) if ious else 1.0


def _pixels(answer: Answer) -> dict[str, rle.Bits]:
    """Return each class's pixels, those of all its masks."""
    found: dict[str, rle.Bits] = {}
    for each in answer:
        mask = rle.decode(each["mask"])
        name = str(each["class"])
        found[name] = found[name] | mask if name in found else mask
    return found


def _cosine(one: Answer, other: Answer) -> float:
    """Vectors of different lengths, or none, agree in nothing."""
    first, second = (np.array([each["embedding"] for each in side]) for side in (one, other))
    if first.shape != second.shape or not first.size:
        return 0.0
    lengths = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(np.clip((first * second).sum() / lengths, 0, 1)) if lengths else 0.0


def _overlap_in_time(one: Answer, other: Answer) -> float:
    """The segments of one answer do not overlap each other."""
    mine, theirs = _segments(one), _segments(other)
    together = same = 0.0
    for name, start, end in mine:
        for other_name, other_start, other_end in theirs:
            shared = max(0.0, min(end, other_end) - max(start, other_start))
            together += shared
            same += shared if name == other_name else 0.0
    either = sum(end - start for _, start, end in (*mine, *theirs)) - together
    return same / either if either else 1.0


def _segments(answer: Answer) -> list[tuple[str, float, float]]:
    return [
        (str(segment["class"]), float(segment["start_ms"]), float(segment["end_ms"]))
        for each in answer
        for segment in each["segments"]
    ]


MEASURES: Mapping[str, Measure] = {
    "classification": Measure(
        "same_first_class", 1.0, _first_class_is_the_same, with_first_class=True
    ),
    "detection": Measure("f1_at_iou_0.5", 1.0, _boxes_f1),
    "segmentation": Measure("mean_iou", 0.9, _mean_iou),
    "embedding": Measure("cosine", 0.99, _cosine, by_class=False),
    "video-classification": Measure("overlap_in_time", 0.9, _overlap_in_time),
    "zero-shot-classification": Measure(
        "same_first_class", 1.0, _first_class_is_the_same, by_class=False, with_first_class=True
    ),
}
