"""YOLOv5 and YOLOv7: (B, N, 5 + C), three anchors a cell, each with a box, a chance and classes.

Boxes are centre x, centre y, width and height in pixels of the input. The score of a class is the
chance of an object times that of the class. Source: the READMEs of YOLOv5 and YOLOv7.
"""

from collections.abc import Sequence
from typing import Any

import torch

from models.onnx_models.examination.facts import Facts
from models.onnx_models.reading.expected_inputs import letterboxed
from models.onnx_models.reading.heads.choosing import corners, sure, thin_out, told
from models.onnx_models.reading.heads.head import Head
from models.onnx_models.reading.shapes import Size, cell_counts, output_shapes, ranks
from models.records.options import OnnxOptions

_ANCHORS = 3


def fits(facts: Facts) -> bool:
    """Say whether there are three rows for each cell."""
    if ranks(facts) != [3]:
        return False
    _, rows, columns = output_shapes(facts)[0]
    counts = {_ANCHORS * count for count in cell_counts(facts)}
    return rows in counts and columns is not None and columns > 5


def labels(facts: Facts) -> int | None:
    """Count the classes."""
    columns = output_shapes(facts)[0][2]
    return None if columns is None else columns - 5


def decode(
    outputs: Sequence[torch.Tensor], size: Size, options: OnnxOptions
) -> list[dict[str, Any]]:
    """Give each picture's objects."""
    return [best_of_rows(picture, size, options) for picture in outputs[0]]


def best_of_rows(rows: torch.Tensor, size: Size, options: OnnxOptions) -> dict[str, Any]:
    """Give one picture's objects of (N, 5 + C): each row has one, of its best class."""
    rows = rows[sure(rows[:, 4], options)]  # no class is surer than the object itself
    scores, labels = (rows[:, 5:] * rows[:, 4:5]).max(1)
    kept = sure(scores, options)
    boxes, scores, labels = corners(rows[kept, :4]), scores[kept], labels[kept]
    best = thin_out(boxes, scores, labels, options)
    return told(boxes[best], scores[best], labels[best], size)


HEAD = Head(
    "yolo-anchors",
    "detection",
    "one output (B, 3 x cells, 5 + classes)",
    fits,
    labels,
    decode,
    letterboxed,
)
