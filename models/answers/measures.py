"""How good detections and segmentations are: mAP and mIoU, as plain arithmetic on arrays.

Average precision as in PASCAL VOC since 2010 (Everingham et al., "The PASCAL Visual Object
Classes Challenge", section 4.2): all detections of a class, most confident first, each right when
it overlaps a true box that no better one has taken. COCO's measure, with its 101 points and its own
matching, differs from it by some thousandths.
Intersection over union of classes over a whole set of pictures as in VOC's segmentation and
Cityscapes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.floating]
Integer = NDArray[np.integer]


@dataclass(frozen=True)
class Boxes:
    """The boxes of one picture: boxes (n, 4) x1 y1 x2 y2; labels (n,); scores (n,), 1 for truth."""

    boxes: Real
    labels: Integer
    scores: Real


def mean_average_precision(
    found: Sequence[Boxes], truth: Sequence[Boxes], least_iou: float = 0.5
) -> float:
    """Return the mean over the classes in `truth` of their average precision.

    `found` and `truth` hold one entry a picture, in the same order.
    """
    classes = np.unique(np.concatenate([each.labels for each in truth]))
    return float(np.mean([average_precision(found, truth, int(c), least_iou) for c in classes]))


def average_precision(
    found: Sequence[Boxes], truth: Sequence[Boxes], label: int, least_iou: float
) -> float:
    """Return the area under one class's curve of precision over recall, made monotone."""
    wanted = [picture.boxes[picture.labels == label] for picture in truth]
    total = sum(map(len, wanted))
    scores, right = [], []
    for picture, boxes in zip(found, wanted, strict=True):
        mine = picture.labels == label
        order = np.argsort(-picture.scores[mine], kind="stable")
        scores.append(picture.scores[mine][order])
        ious = np.array([least_iou])
        right.append(matches(picture.boxes[mine][order], boxes, ious)[:, 0])
    ranked = np.concatenate(right)[np.argsort(-np.concatenate(scores), kind="stable")]
    return area_under_curve(ranked, total)


def area_under_curve(ranked: NDArray[np.bool_], total: int) -> float:
    """Return the area under the monotone curve of precision over recall; 0 where nothing is found.

    ranked: (n,), which detections are right, the most confident first. total: true boxes.
    """
    if total == 0 or not len(ranked):
        return 0.0
    hits = np.cumsum(ranked)
    precision = hits / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(envelope * ranked) / total)


def box_iou(first: Real, second: Real) -> Real:
    """Return intersection over union of each pair: (n, 4) and (m, 4) to (n, m)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    both = np.prod(np.clip(high - low, 0, None), axis=2)
    sizes = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (first, second)]
    return np.asarray(both / np.maximum(sizes[0][:, None] + sizes[1][None] - both, 1e-9))


def class_ious(found: Sequence[Integer], truth: Sequence[Integer], classes: int) -> Real:
    """Return each class's intersection over union over all pictures: (classes,), NaN if absent."""
    counts = np.zeros((classes, classes), np.int64)
    for mask, wanted in zip(found, truth, strict=True):
        pairs = wanted.astype(np.int64).ravel() * classes + mask.astype(np.int64).ravel()
        counts += np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
    both = np.diag(counts)
    either = counts.sum(0) + counts.sum(1) - both
    return np.where(either > 0, both / np.maximum(either, 1), np.nan)


def mean_iou(found: Sequence[Integer], truth: Sequence[Integer], classes: int) -> float:
    """Return the mean of `class_ious` over the classes that are found or true anywhere."""
    return float(np.nanmean(class_ious(found, truth, classes)))


def matches(boxes: Real, wanted: Real, least_ious: Real) -> NDArray[np.bool_]:
    """Say of boxes of one picture and class, best first, which are right; each truth counts once.

    boxes: (n, 4). wanted: (m, 4). Gives (n, k) for the overlaps `least_ious` (k,) that are asked.
    A box is held against the truth that it overlaps most, taken or not: a second box on an object
    is wrong even where it also touches a neighbour (VOC's rule).
    """
    right = np.zeros((len(boxes), len(least_ious)), bool)
    if not len(wanted) or not len(boxes):
        return right
    overlaps = box_iou(boxes, wanted)
    taken = np.zeros((len(wanted), len(least_ious)), bool)
    for index, best in enumerate(overlaps.argmax(axis=1)):
        right[index] = (overlaps[index, best] >= least_ious) & ~taken[best]
        taken[best] |= right[index]
    return right
