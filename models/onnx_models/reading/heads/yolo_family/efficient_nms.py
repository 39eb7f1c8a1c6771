"""Detectors that end as TensorRT's EfficientNMS does: counts, boxes, scores and classes.

num_dets (B, 1), boxes (B, k, 4) as x1 y1 x2 y2 in pixels of the input, scores (B, k), classes
(B, k), of which the first num_dets count. Source: TensorRT's description of the plug-in.
"""

from collections.abc import Sequence
from typing import Any

import torch

from models.onnx_models.examination.facts import Facts
from models.onnx_models.reading.expected_inputs import letterboxed
from models.onnx_models.reading.heads.choosing import sure, told
from models.onnx_models.reading.heads.head import Head
from models.onnx_models.reading.shapes import Size, output_shapes, ranks
from models.records.options import OnnxOptions


def fits(facts: Facts) -> bool:
    """Say whether there are the four outputs in their order."""
    if ranks(facts) != [3 if place == 1 else 2 for place in range(4)]:
        return False
    if "int" in facts.outputs[2].dtype:  # classes before scores
        return False
    counts, boxes, scores, classes = output_shapes(facts)
    return counts[1] == 1 and boxes[2] == 4 and boxes[1] == scores[1] == classes[1]


def decode(
    outputs: Sequence[torch.Tensor], size: Size, options: OnnxOptions
) -> list[dict[str, Any]]:
    """Give each picture's objects."""
    found = []
    for count, boxes, scores, classes in zip(*outputs, strict=True):
        rows = sure(scores[: int(count)], options)
        found.append(told(boxes[rows], scores[rows], classes[rows], size))
    return found


HEAD = Head(
    "efficient-nms",
    "detection",
    "four outputs (B, 1), (B, k, 4), (B, k), (B, k) of counts, boxes, scores, classes",
    fits,
    labels=lambda _: None,
    decode=decode,
    preprocess=letterboxed,
)
