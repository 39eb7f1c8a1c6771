"""How good semantic segmentations are: intersection over union of classes over all pictures.

As in VOC's segmentation and Cityscapes: pixels are counted over the whole set, then each class's
intersection is divided by its union. Of a network that tells objects apart, a pixel is of the class
of the most confident object that has it. Masks are never unpacked: runs are held against runs, so
that a picture costs as much as its codes are long, however many pixels it has.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.answers import rle
from models.records.errors import TruthError

# Runs of one mask: first pixels, and those behind the last; column by column.
Runs = tuple[NDArray[np.int64], NDArray[np.int64]]

BACKGROUNDS = ("__background__", "background")
_NONE = -1


class PixelScores:
    """Counts the pixels of each pair of true and found classes."""

    headline = "miou"
    measure = "mean over the classes, true or found anywhere, of intersection over union of pixels"

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = tuple(dict.fromkeys(labels))
        self._ids = {name: number for number, name in enumerate(self._labels)}
        # What no mask covers is the background, where the network has one.
        self._rest = next((self._ids[name] for name in BACKGROUNDS if name in self._ids), _NONE)
        self._pixels: Counter[tuple[int, int]] = Counter()

    def add(
        self,
        truth: Mapping[str, Any],
        answer: Sequence[Mapping[str, Any]],
        size: tuple[int | None, int | None],
    ) -> None:
        """Count one picture; raises TruthError for masks of another size, or that are broken."""
        true = [self._runs_of(each, size) for each in truth["masks"]]
        # The most confident comes last and lies on top.
        found = [self._runs_of(each, size) for each in reversed(answer)]
        height, width = size
        ends = np.array([0, (height or 0) * (width or 0)])
        borders = np.unique(
            np.concatenate([ends, *(run for _, runs in true + found for run in runs)])
        )
        lengths = np.diff(borders)
        wanted, told = _painted(borders, true, _NONE), _painted(borders, found, self._rest)
        counted = wanted != _NONE
        if not counted.any():
            return
        pairs, places = np.unique(
            np.stack([wanted[counted], told[counted]]), axis=1, return_inverse=True
        )
        sums = np.bincount(places.ravel(), lengths[counted], pairs.shape[1])
        for (one, other), count in zip(pairs.T.tolist(), sums.tolist(), strict=True):
            self._pixels[one, other] += int(count)

    def figures(self) -> dict[str, float | None]:
        """Give the mean IoU, and the share of pixels that are right."""
        ious = [each["iou"] for each in self.per_class()]
        right = sum(count for (one, other), count in self._pixels.items() if one == other)
        total = self._pixels.total()
        return {
            "miou": sum(ious) / len(ious) if ious else None,
            "pixel_accuracy": right / total if total else None,
        }

    def per_class(self) -> list[dict[str, Any]]:
        """Give each class's true pixels (support), found ones, and IoU."""
        true, found = Counter[int](), Counter[int]()
        for (one, other), count in self._pixels.items():
            true[one] += count
            found[other] += count
        rows = []
        for number, name in enumerate(self._labels):
            both = self._pixels[number, number]
            if either := true[number] + found[number] - both:
                counts = {"support": true[number], "found": found[number]}
                rows.append({"class": name, **counts, "iou": both / either})
        return rows

    def confusion(self) -> None:
        """Give none: the pixels of a set are too many for a table of them to say much."""

    def _runs_of(
        self, each: Mapping[str, Any], size: tuple[int | None, int | None]
    ) -> tuple[int, Runs]:
        code = each["mask"]
        if tuple(code["size"]) != size:
            true, mask = (f"{w} x {h}" for h, w in (size, code["size"]))
            raise TruthError(f"its mask has {mask} pixels, but the picture {true}")
        try:
            counts = rle.from_string(code["counts"])
        except (ValueError, OverflowError) as err:
            raise TruthError(f"its mask cannot be read: {err}") from err
        height, width = code["size"]
        within = ((counts >= 0) & (counts <= height * width)).all()
        if not within or int(counts.sum()) != height * width:
            raise TruthError(f"the runs of its mask do not fill {width} x {height} pixels")
        ends = np.cumsum(counts)
        ones = counts[1::2] > 0
        return self._ids[str(each["class"])], ((ends - counts)[1::2][ones], ends[1::2][ones])


def _painted(
    borders: NDArray[np.int64], masks: Iterable[tuple[int, Runs]], rest: int
) -> NDArray[np.int64]:
    """Give the class of each stretch between two borders; later masks lie on earlier ones."""
    classes = np.full(len(borders) - 1, rest, np.int64)
    for number, (starts, ends) in masks:
        change = np.zeros(len(borders), np.int64)
        change[np.searchsorted(borders, starts)] += 1
        change[np.searchsorted(borders, ends)] -= 1
        classes[np.cumsum(change)[:-1] > 0] = number
    return classes
