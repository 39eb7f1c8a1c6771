"""Which candidates of a detector are told: sure ones, of those that overlap the surest."""

from typing import Any, Final

import torch
from torchvision.ops import batched_nms, box_convert

from models.onnx_models.reading.shapes import Size
from models.records.options import OnnxOptions

# As many candidates as Ultralytics compares, and as many objects as a job can ask for.
_MOST_COMPARED: Final = 30_000
_MOST_TOLD: Final = 1_000


def corners(boxes: torch.Tensor) -> torch.Tensor:
    """Turn centre x, centre y, width, height (n, 4) into x1 y1 x2 y2."""
    converted: torch.Tensor = box_convert(boxes, "cxcywh", "xyxy")
    return converted


def in_pixels(boxes: torch.Tensor, size: Size) -> torch.Tensor:
    """Turn shares of the input's sides, x1 y1 x2 y2 (..., 4), into pixels."""
    return boxes * torch.tensor([size[1], size[0]] * 2, dtype=boxes.dtype)


def sure(scores: torch.Tensor, options: OnnxOptions) -> torch.Tensor:
    """Give the rows of scores (n,) that are at least `least_confidence`, in order."""
    return (scores >= options.least_confidence).nonzero().flatten()


def thin_out(
    boxes: torch.Tensor, scores: torch.Tensor, labels: torch.Tensor, options: OnnxOptions
) -> torch.Tensor:
    """Give the rows that stay of n candidates of one picture, the surest first.

    boxes: (n, 4) x1 y1 x2 y2. scores: (n,). labels: int64 (n,). Candidates of two classes never
    displace each other.
    """
    best = scores.argsort(descending=True, stable=True)[:_MOST_COMPARED]
    kept = batched_nms(boxes[best], scores[best], labels[best], options.iou)
    return best[kept[:_MOST_TOLD]]


def told(
    boxes: torch.Tensor, scores: torch.Tensor, labels: torch.Tensor, size: Size
) -> dict[str, Any]:
    """Give what a task reads of one picture: boxes clipped to the input, labels int64."""
    most = torch.tensor([size[1], size[0]] * 2, dtype=torch.float32)
    clipped = boxes.clamp(min=0).minimum(most)
    return {"boxes": clipped, "scores": scores.contiguous(), "labels": labels.long()}
