"""How far two answers to one picture are apart, in the measures of their task.

    classification  the largest difference of confidences, over the classes that are expected
    detection       the same over the objects, and the worst overlap (IoU) of their boxes
    segmentation    the overlap of masks: of objects, each; of classes, that of all pixels together
    embedding       the cosine of the vectors

An object is held against the one of its class that is nearest to it in both measures; that two
queries tell one object twice is no difference. What lies below the least confidence that is told on
the other side is not missed. Needs no torch.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.answers import rle
from models.answers.measures import box_iou

Answer = Sequence[Mapping[str, Any]]

CONFIDENCE, BOX_IOU, MASK_IOU, COSINE = "confidence", "box IoU", "mask IoU", "cosine"
# How far answers may be apart, computed in float32: confidences from each other, all else from 1.
LIMITS: Mapping[str, float] = {CONFIDENCE: 1e-3, BOX_IOU: 0.99, MASK_IOU: 0.99, COSINE: 0.999}

# Objects of less confidence are not looked for.
LEAST_CONFIDENCE = 0.1
# Who tells so many objects may have left others out.
_MANY = 100
# From where on objects are told by who tells none.
_USUAL_THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class Difference:
    """One measure, and its worst value over `compared` things."""

    measure: str
    worst: float
    compared: int

    @property
    def excess(self) -> float:
        """Give how much of what is allowed is used up: more than 1 is too much."""
        limit = LIMITS[self.measure]
        if self.measure == CONFIDENCE:
            return self.worst / limit
        return (1 - self.worst) / (1 - limit)

    @property
    def told(self) -> str:
        """Say it with its limit."""
        limit = LIMITS[self.measure]
        if self.measure == CONFIDENCE:
            return f"confidences {self.worst:.3g} apart, {limit:g} may be"
        return f"{self.measure} {self.worst:.3g}, {limit:g} is wanted"


def differences(
    task: str, ours: Answer, theirs: Answer, least_told: float | None = None
) -> list[Difference]:
    """Compare two answers of a task; none for a task that has no measure here.

    `least_told` is the confidence from which on the author's code tells objects, where it is known.
    """
    if task in _BY_OBJECTS:
        return list(_BY_OBJECTS[task](ours, theirs, least_told))
    return list(_COMPARED[task](ours, theirs)) if task in _COMPARED else []


def has_measure(task: str) -> bool:
    """Say whether answers of a task can be compared here."""
    return task in _COMPARED or task in _BY_OBJECTS


def worst_of(found: Sequence[Difference]) -> list[Difference]:
    """Give one difference a measure: the worst, and how much was compared in all."""
    together: dict[str, Difference] = {}
    for each in found:
        known = together.get(each.measure, each)
        worst = max(known, each, key=lambda one: one.excess).worst
        count = each.compared + (known.compared if known is not each else 0)
        together[each.measure] = Difference(each.measure, worst, count)
    return list(together.values())


def _classes(ours: Answer, theirs: Answer) -> Iterator[Difference]:
    apart = []
    for expected in theirs:
        mine = max((_confidence(each) for each in ours if _is_same(each, expected)), default=0.0)
        # Who says no confidence means that this is the best.
        best = max((_confidence(each) for each in ours), default=0.0)
        apart.append(abs(expected.get("confidence", best) - mine))
    if theirs and ours:
        first = max(ours, key=_confidence)
        if not any(_is_same(first, each) for each in theirs):
            known = [each["confidence"] for each in theirs if "confidence" in each]
            apart += [max(0.0, _confidence(first) - max(known))] if known else []
    if apart:
        yield Difference(CONFIDENCE, max(apart), len(apart))


def _objects(ours: Answer, theirs: Answer, least_told: float | None) -> Iterator[Difference]:
    yield from _matched(ours, theirs, BOX_IOU, _box_ious, least_told)


def _masks(ours: Answer, theirs: Answer, least_told: float | None) -> Iterator[Difference]:
    if any("box" in each for each in ours):
        yield from _matched(ours, theirs, MASK_IOU, _mask_ious, least_told)
    elif ours or theirs:
        yield Difference(MASK_IOU, _pixel_iou(ours, theirs), max(len(ours), len(theirs)))


def _vectors(ours: Answer, theirs: Answer) -> Iterator[Difference]:
    if not theirs:
        return
    first, second = (np.array(side[0]["embedding"], np.float64) for side in (ours, theirs))
    if first.shape != second.shape:
        yield Difference(COSINE, 0.0, 1)
        return
    lengths = float(np.linalg.norm(first) * np.linalg.norm(second))
    yield Difference(COSINE, float(first @ second) / lengths if lengths else 0.0, 1)


def _matched(
    ours: Answer,
    theirs: Answer,
    measure: str,
    overlap: Callable[[Answer, Answer], NDArray[np.floating]],
    least_told: float | None,
) -> Iterator[Difference]:
    """Hold each object of either side against the nearest of its class on the other."""
    if not ours and not theirs:
        return
    ious = overlap(ours, theirs)
    for row, mine in enumerate(ours):
        for column, expected in enumerate(theirs):
            if not _is_same(mine, expected):
                ious[row, column] = 0.0
    confidences = [
        np.array([each.get("confidence", np.nan) for each in side], float)
        for side in (ours, theirs)
    ]
    apart = np.nan_to_num(np.abs(confidences[0][:, None] - confidences[1][None]))
    badness = np.maximum(apart / LIMITS[CONFIDENCE], (1 - ious) / (1 - LIMITS[measure]))
    pairs: list[tuple[float, float]] = []
    for columns, side, least in (
        (False, ours, _least_told(theirs, least_told)),
        (True, theirs, _least_told(ours, 0.0)),
    ):
        for index, each in enumerate(side):
            if each.get("confidence", 1.0) < least:
                continue
            costs = badness[:, index] if columns else badness[index]
            if not len(costs):
                pairs.append((0.0, each.get("confidence", 1.0)))
                continue
            best = int(costs.argmin())
            place = (best, index) if columns else (index, best)
            missing = ious[place] == 0
            pairs.append(
                (
                    float(ious[place]),
                    each.get("confidence", 1.0) if missing else float(apart[place]),
                )
            )
    if pairs:
        yield Difference(measure, min(iou for iou, _ in pairs), len(pairs))
        yield Difference(CONFIDENCE, max(gap for _, gap in pairs), len(pairs))


def _least_told(answer: Answer, said: float | None) -> float:
    """Say from which confidence on the author's code would have told an object.

    Where that is not known, it is no higher than the least that was told.
    """
    told = [each["confidence"] for each in answer if "confidence" in each]
    edge = said if said is not None else min(told, default=_USUAL_THRESHOLD)
    if len(told) >= _MANY:
        edge = max(edge, min(told))
    return max(LEAST_CONFIDENCE, edge + 2 * LIMITS[CONFIDENCE])


def _box_ious(ours: Answer, theirs: Answer) -> NDArray[np.floating]:
    return box_iou(_corners(ours), _corners(theirs))


def _corners(answer: Answer) -> NDArray[np.floating]:
    sides = ("x", "y", "width", "height")
    boxes = np.array([[each["box"][side] for side in sides] for each in answer], float)
    boxes = boxes.reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def _mask_ious(ours: Answer, theirs: Answer) -> NDArray[np.floating]:
    found = np.zeros((len(ours), len(theirs)))
    first, second = ([rle.decode(each["mask"]) for each in side] for side in (ours, theirs))
    for row, mine in enumerate(first):
        for column, expected in enumerate(second):
            found[row, column] = _iou(mine, expected)
    return found


def _iou(one: rle.Bits, other: rle.Bits) -> float:
    if one.shape != other.shape:
        return 0.0
    either = int((one | other).sum())
    return float((one & other).sum()) / either if either else 1.0


def _pixel_iou(ours: Answer, theirs: Answer) -> float:
    """Give what both call the same over what either calls something, in pixels of all classes."""
    both = either = 0
    left = list(ours)
    for expected in theirs:
        wanted = rle.decode(expected["mask"])
        mine = next((each for each in left if _is_same(each, expected)), None)
        if mine is None:
            either += int(wanted.sum())
            continue
        left.remove(mine)
        bits = rle.decode(mine["mask"])
        if bits.shape != wanted.shape:
            return 0.0
        both += int((bits & wanted).sum())
        either += int((bits | wanted).sum())
    either += sum(int(rle.decode(each["mask"]).sum()) for each in left)
    return both / either if either else 1.0


def _confidence(each: Mapping[str, Any]) -> float:
    return float(each["confidence"])


def _is_same(mine: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
    if "class_id" in expected:
        return bool(mine["class_id"] == expected["class_id"])
    return bool(mine["class"] == expected.get("class"))


_COMPARED: Mapping[str, Callable[[Answer, Answer], Iterator[Difference]]] = {
    "classification": _classes,
    "embedding": _vectors,
}
_BY_OBJECTS: Mapping[str, Callable[[Answer, Answer, float | None], Iterator[Difference]]] = {
    "detection": _objects,
    "segmentation": _masks,
}
