"""Answers of each task in a form that can be compared, and by which measures they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.ops import box_iou

from benchmarks.parity.compared import (
    CONFIDENCE,
    COSINE,
    LEAST_IOU,
    MOST_CONFIDENCE,
    Measure,
    largest_difference,
)
from models.answers import rle

# Of a class with a smaller share of the picture, a few pixels are several hundredths.
_TELLING_SHARE = 0.05
# Beyond any answer that is one: nothing of the kind was found.
_MISSING = float("inf")


@dataclass(frozen=True, slots=True)
class Objects:
    """What a detector found, the surest first; boxes are (n, 4), x1 y1 x2 y2."""

    scores: torch.Tensor
    labels: torch.Tensor
    boxes: torch.Tensor

    @classmethod
    def sorted(cls, found: Mapping[str, torch.Tensor]) -> "Objects":
        """Put what a library found, scores, labels and boxes, into this order."""
        order = found["scores"].argsort(descending=True, stable=True)
        return cls(found["scores"][order], found["labels"][order], found["boxes"][order])

    @classmethod
    def told(cls, predictions: Sequence[Mapping[str, Any]]) -> "Objects":
        """Read our predictions."""
        boxes = [
            (box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"])
            for box in (each["box"] for each in predictions)
        ]
        return cls(
            torch.tensor([each["confidence"] for each in predictions]),
            torch.tensor([each["class_id"] for each in predictions], dtype=torch.int64),
            torch.tensor(boxes).reshape(-1, 4),
        )


# By class: the pixels that show it, bool (H, W), and how sure that is.
Masks = dict[int, tuple[NDArray[np.bool_], float]]


def chances_told(predictions: Sequence[Mapping[str, Any]]) -> torch.Tensor:
    """Read a classifier's predictions of all its classes: (labels,)."""
    chances = torch.zeros(len(predictions))
    for each in predictions:
        chances[each["class_id"]] = each["confidence"]
    return chances


def masks_told(predictions: Sequence[Mapping[str, Any]]) -> Masks:
    """Read a semantic segmenter's predictions."""
    return {
        each["class_id"]: (np.asarray(rle.decode(each["mask"]), bool), each["confidence"])
        for each in predictions
    }


def masks_of(scores: torch.Tensor, chances: torch.Tensor) -> Masks:
    """Read scores and chances (labels, H, W) of the original's pixels."""
    classes, sure = scores.argmax(0).numpy(), chances.amax(0).double().numpy()
    return {
        int(each): (classes == each, float(sure[classes == each].mean()))
        for each in np.unique(classes)
    }


def _scores_apart(ours: Objects, theirs: Objects) -> float:
    return largest_difference(ours.scores, theirs.scores)


def _boxes_alike(ours: Objects, theirs: Objects) -> float:
    """Of objects of one score the order is nobody's: the best overlap of one label counts."""
    if len(ours.scores) != len(theirs.scores):
        return 0.0
    alike = (ours.scores[:, None] - theirs.scores).abs() < MOST_CONFIDENCE
    alike &= ours.labels[:, None] == theirs.labels
    overlaps = box_iou(ours.boxes, theirs.boxes) * alike
    return float(overlaps.amax(1).min()) if len(overlaps) else 1.0


def _masks_alike(ours: Masks, theirs: Masks) -> float:
    least = 1.0
    for class_id, (mask, _) in theirs.items():
        if mask.mean() >= _TELLING_SHARE:
            mine = ours[class_id][0] if class_id in ours else np.zeros_like(mask)
            least = min(least, float((mine & mask).sum() / (mine | mask).sum()))
    return least


def _masks_confidence_apart(ours: Masks, theirs: Masks) -> float:
    return max(
        abs(ours[class_id][1] - confidence) if class_id in ours else _MISSING
        for class_id, (mask, confidence) in theirs.items()
        if mask.mean() >= _TELLING_SHARE
    )


def _relative_distance(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return float((ours - theirs).norm() / theirs.norm())


MEASURES: Mapping[str, Sequence[Measure]] = {
    "classification": (CONFIDENCE,),
    "video-classification": (CONFIDENCE,),
    "detection": (
        Measure("confidence of boxes", MOST_CONFIDENCE, _scores_apart),
        Measure("IoU of boxes", LEAST_IOU, _boxes_alike, is_likeness=True),
    ),
    "segmentation": (
        Measure("confidence of masks", MOST_CONFIDENCE, _masks_confidence_apart),
        Measure("IoU of masks", LEAST_IOU, _masks_alike, is_likeness=True),
    ),
    # The cosine does not see how long a vector is.
    "embedding": (COSINE, Measure("distance", 0.01, _relative_distance)),
}
