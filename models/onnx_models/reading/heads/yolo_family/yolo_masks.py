"""YOLOv8-seg and its successors: (B, 4 + C + k, N) and prototypes (B, k, h / 4, w / 4).

Each object has k coefficients, by which its mask is mixed from the prototypes
(models/answers/whole_masks.py). Source: docs.ultralytics.com, the ONNX export of `Segment`.
"""

from collections.abc import Sequence
from typing import Any

import torch

from models.answers.whole_masks import PrototypeMasks
from models.onnx_models.examination.facts import Facts
from models.onnx_models.reading.expected_inputs import letterboxed
from models.onnx_models.reading.heads.choosing import thin_out, told
from models.onnx_models.reading.heads.head import Head
from models.onnx_models.reading.heads.yolo_family.yolo import candidates
from models.onnx_models.reading.shapes import Size, cell_counts, output_shapes, ranks
from models.records.options import OnnxOptions


def fits(facts: Facts) -> bool:
    """Say whether there are a column for each cell, and prototypes with room for classes left."""
    if ranks(facts) != [3, 4]:
        return False
    (_, rows, columns), (_, prototypes, *_) = output_shapes(facts)
    if rows is None or prototypes is None or columns not in cell_counts(facts):
        return False
    return rows > 4 + prototypes


def labels(facts: Facts) -> int | None:
    """Count the classes."""
    (_, rows, _), (_, prototypes, *_) = output_shapes(facts)
    return None if rows is None or prototypes is None else rows - 4 - prototypes


def decode(
    outputs: Sequence[torch.Tensor], size: Size, options: OnnxOptions
) -> list[dict[str, Any]]:
    """Give each picture's objects, with `whole_masks`."""
    return [
        _objects(picture, prototypes, size, options)
        for picture, prototypes in zip(outputs[0], outputs[1], strict=True)
    ]


def _objects(
    picture: torch.Tensor, prototypes: torch.Tensor, size: Size, options: OnnxOptions
) -> dict[str, Any]:
    classes, mixture = picture[4 : -len(prototypes)], picture[-len(prototypes) :]
    boxes, scores, labels, cells = candidates(picture[:4], classes, options)
    kept = thin_out(boxes, scores, labels, options)
    found = told(boxes[kept], scores[kept], labels[kept], size)
    coefficients = mixture[:, cells[kept]].T.contiguous()
    # A copy, so that one picture's answer does not keep the whole batch in memory.
    masks = PrototypeMasks(coefficients, prototypes.clone(), found["boxes"], size)
    return {**found, "whole_masks": masks}


HEAD = Head(
    "yolo-masks",
    "segmentation",
    "two outputs (B, 4 + classes + k, cells) and (B, k, h / 4, w / 4)",
    fits,
    labels,
    decode,
    letterboxed,
)
