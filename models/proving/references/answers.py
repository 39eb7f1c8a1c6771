"""Plain outputs in the form of predictions (models/proving/check.py)."""

from typing import Any

import numpy as np
import torch

from models.answers import rle

# From which confidence on objects are told.
LEAST_CONFIDENCE = 0.05
# Classes of a picture that are compared, and objects that are told.
_MOST_CLASSES, _MOST_OBJECTS = 10, 1000


def classes(logits: torch.Tensor) -> list[dict[str, Any]]:
    """Give the likeliest classes of logits (labels,), by softmax."""
    best = logits.float().softmax(0).topk(min(_MOST_CLASSES, len(logits)))
    return [
        {"class_id": int(index), "confidence": min(1.0, float(chance))}
        for chance, index in zip(best.values, best.indices, strict=True)
    ]


def vector(features: torch.Tensor) -> list[dict[str, Any]]:
    """Give features (d,) as an embedding."""
    return [{"embedding": features.float().tolist()}]


def objects(found: dict[str, torch.Tensor]) -> list[dict[str, Any]]:
    """Give boxes (n, 4) x1 y1 x2 y2 with scores and labels, and masks (n, 1, h, w) if any."""
    order = found["scores"].argsort(descending=True)[:_MOST_OBJECTS]
    told = []
    for index in order.tolist():
        score = float(found["scores"][index])
        if score < LEAST_CONFIDENCE:
            break
        left, top, right, bottom = found["boxes"][index].tolist()
        width, height = max(0.0, right - left), max(0.0, bottom - top)
        each: dict[str, Any] = {
            "class_id": int(found["labels"][index]),
            "confidence": min(1.0, score),
            "box": {"x": left, "y": top, "width": width, "height": height},
        }
        if "masks" in found:
            each["mask"] = rle.encode(found["masks"][index, 0].numpy() >= 0.5)
        told.append(each)
    return told


def layers(drawn: np.ndarray) -> list[dict[str, Any]]:
    """Give the mask of each class in a picture of class ids (h, w)."""
    return [
        {"class_id": int(index), "mask": rle.encode(drawn == index)} for index in np.unique(drawn)
    ]
