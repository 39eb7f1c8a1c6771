"""How good detections are: average precision in PASCAL VOC's manner, at ten overlaps.

At each least overlap (IoU) from 0.50 to 0.95, in steps of 0.05 as COCO has them, the area under the
monotone curve of precision over recall (models.answers.measures); the figures are means over the
classes that are true anywhere. COCO's own tool takes 101 points of the curve and matches boxes a
little differently, and so differs by some thousandths.
"""

from array import array
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.answers.measures import area_under_curve, matches

LEAST_IOUS = np.arange(50, 100, 5) / 100
_BITS = 1 << np.arange(len(LEAST_IOUS))
_SIDES = ("x", "y", "width", "height")


class _Found:
    """All boxes of one class so far: confidences, and at which overlaps each is right, as bits."""

    def __init__(self) -> None:
        self.scores = array("d")
        self.right = array("H")
        self.total = 0


class BoxScores:
    """Holds each picture's boxes against the true ones; keeps ten bytes of each box."""

    headline = "map_50"
    measure = (
        "mean over the classes of average precision as in PASCAL VOC since 2010; not COCO's 101 "
        "points, which differ by some thousandths"
    )

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = tuple(dict.fromkeys(labels))
        self._classes: dict[str, _Found] = defaultdict(_Found)

    def add(self, truth: Mapping[str, Any], answer: Sequence[Mapping[str, Any]], _: object) -> None:
        """Count one picture."""
        true, found = _by_class(truth["boxes"]), _by_class(answer)
        for name in true.keys() | found.keys():
            kept, mine, wanted = self._classes[name], found.get(name, []), true.get(name, [])
            mine = sorted(mine, key=lambda each: -each["confidence"])
            right = matches(_corners(mine), _corners(wanted), LEAST_IOUS)
            kept.scores.extend(each["confidence"] for each in mine)
            kept.right.extend((right @ _BITS).tolist())
            kept.total += len(wanted)

    def figures(self) -> dict[str, float | None]:
        """Give mAP@0.5, and the mean of mAP over all overlaps."""
        areas = [_areas(kept) for kept in self._classes.values() if kept.total]
        if not areas:
            return {"map_50": None, "map_50_95": None}
        every = np.array(areas)
        return {"map_50": float(every[:, 0].mean()), "map_50_95": float(every.mean())}

    def per_class(self) -> list[dict[str, Any]]:
        """Give each class's true boxes (support), found ones, and average precision."""
        return [
            _figures_of(name, self._classes[name]) for name in self._labels if name in self._classes
        ]

    def confusion(self) -> None:
        """Give none: a box that overlaps nothing was taken for nothing."""


def _figures_of(name: str, kept: _Found) -> dict[str, Any]:
    areas = _areas(kept) if kept.total else None
    return {
        "class": name,
        "support": kept.total,
        "found": len(kept.scores),
        "ap_50": None if areas is None else areas[0],
        "ap_50_95": None if areas is None else float(np.mean(areas)),
    }


def _areas(kept: _Found) -> list[float]:
    """Give a class's average precision at each overlap."""
    order = np.argsort(-np.asarray(kept.scores), kind="stable")
    ranked = np.asarray(kept.right)[order]
    return [area_under_curve((ranked & bit) > 0, kept.total) for bit in _BITS]


def _by_class(boxes: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for each in boxes:
        found.setdefault(str(each["class"]), []).append(each)
    return found


def _corners(boxes: Sequence[Mapping[str, Any]]) -> NDArray[np.floating]:
    """Give boxes as x1 y1 x2 y2: float64 (n, 4)."""
    sides = np.array([[each["box"][side] for side in _SIDES] for each in boxes], float)
    sides = sides.reshape(-1, len(_SIDES))
    sides[:, 2:] += sides[:, :2]
    return sides
