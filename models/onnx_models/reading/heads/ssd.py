"""SSD and its kin: boxes (B, N, 4) and scores (B, N, C), in either order, a row an anchor.

Boxes are x1 y1 x2 y2, as shares of the input's sides unless `options.boxes` says "pixels"; scores
are probabilities unless `options.outputs` says "logits". Where scores are four as well, boxes come
first. The first class is that of the background where there is one more than labels.
Source: SSD's paper, and the ONNX model zoo.
"""

from collections.abc import Sequence
from typing import Any

import torch

from models.onnx_models.examination.facts import Facts
from models.onnx_models.reading.expected_inputs import stretched_around_zero
from models.onnx_models.reading.heads.choosing import in_pixels, thin_out, told
from models.onnx_models.reading.heads.detr_family.detr import MOST_QUERIES
from models.onnx_models.reading.heads.head import Head
from models.onnx_models.reading.shapes import Shape, Size, output_shapes, ranks
from models.records.options import OnnxOptions


def fits(facts: Facts) -> bool:
    """Say whether there are boxes and scores; few scores that come first are those of queries."""
    if ranks(facts) != [3, 3]:
        return False
    boxes, scores = _boxes_first(output_shapes(facts))
    if boxes[2] != 4 or scores[1] != boxes[1] or scores[2] is None:
        return False
    return output_shapes(facts)[0][2] == 4 or boxes[1] is None or boxes[1] > MOST_QUERIES


def _boxes_first(shapes: Sequence[Shape]) -> tuple[Shape, Shape]:
    first, second = shapes
    return (first, second) if first[2] == 4 else (second, first)


def _columns(facts: Facts) -> int:
    columns = _boxes_first(output_shapes(facts))[1][2]
    assert columns is not None
    return columns


def decode_with_background(
    outputs: Sequence[torch.Tensor], size: Size, options: OnnxOptions
) -> list[dict[str, Any]]:
    """Give each picture's objects; the first class is none."""
    boxes, scores = _split(outputs)
    shares = scores.softmax(-1) if options.outputs == "logits" else scores
    return _decode(boxes, shares[..., 1:], size, options)


def decode_without_background(
    outputs: Sequence[torch.Tensor], size: Size, options: OnnxOptions
) -> list[dict[str, Any]]:
    """Give each picture's objects; every class is one."""
    boxes, scores = _split(outputs)
    return _decode(
        boxes, scores.sigmoid() if options.outputs == "logits" else scores, size, options
    )


def _split(outputs: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    first, second = outputs
    return (first, second) if first.shape[2] == 4 else (second, first)


def _decode(
    boxes: torch.Tensor, scores: torch.Tensor, size: Size, options: OnnxOptions
) -> list[dict[str, Any]]:
    placed = boxes if options.boxes == "pixels" else in_pixels(boxes, size)
    return [_objects(*picture, size, options) for picture in zip(placed, scores, strict=True)]


def _objects(
    boxes: torch.Tensor, scores: torch.Tensor, size: Size, options: OnnxOptions
) -> dict[str, Any]:
    """Take every class of an anchor that is sure enough for an object of its own."""
    anchors, labels = (scores >= options.least_confidence).nonzero().unbind(1)
    boxes, scores = boxes[anchors], scores[anchors, labels]
    kept = thin_out(boxes, scores, labels, options)
    return told(boxes[kept], scores[kept], labels[kept], size)


_NOTE = (
    "Values from -1 to 1 are assumed for the input, and boxes as shares of its sides "
    "(options.boxes)."
)
HEAD = Head(
    "ssd",
    "detection",
    "two outputs (B, anchors, 4) and (B, anchors, 1 + classes), the background first",
    fits,
    lambda facts: _columns(facts) - 1,
    decode_with_background,
    stretched_around_zero,
    note=_NOTE,
)
WITHOUT_BACKGROUND_HEAD = Head(
    "ssd-without-background",
    "detection",
    "two outputs (B, anchors, 4) and (B, anchors, classes)",
    fits,
    _columns,
    decode_without_background,
    stretched_around_zero,
    note=_NOTE,
)
