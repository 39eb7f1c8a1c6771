"""YOLOv8, v9, v11 and others by Ultralytics: (B, 4 + C, N), a box and its classes in each cell.

Boxes are centre x, centre y, width and height in pixels of the input; scores are probabilities.
Source: docs.ultralytics.com, the ONNX export of `Detect`.
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


def fits(facts: Facts) -> bool:
    """Say whether there is a column for each cell."""
    if ranks(facts) != [3]:
        return False
    _, rows, columns = output_shapes(facts)[0]
    return columns in cell_counts(facts) and rows is not None and rows > 4


def reads(facts: Facts) -> bool:
    """Say whether there are columns of boxes with classes, of grids of any strides."""
    return ranks(facts) == [3] and (output_shapes(facts)[0][1] or 0) > 4


def labels(facts: Facts) -> int | None:
    """Count the classes."""
    rows = output_shapes(facts)[0][1]
    return None if rows is None else rows - 4


def decode(
    outputs: Sequence[torch.Tensor], size: Size, options: OnnxOptions
) -> list[dict[str, Any]]:
    """Give each picture's objects."""
    return [_objects(picture, size, options) for picture in outputs[0]]


def _objects(picture: torch.Tensor, size: Size, options: OnnxOptions) -> dict[str, Any]:
    boxes, scores, labels, _ = candidates(picture[:4], picture[4:], options)
    kept = thin_out(boxes, scores, labels, options)
    return told(boxes[kept], scores[kept], labels[kept], size)


def candidates(
    boxes: torch.Tensor, classes: torch.Tensor, options: OnnxOptions
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Give boxes x1 y1 x2 y2 (n, 4), scores and labels (n,) of the cells that are sure enough.

    boxes: (4, N), classes: (C, N). A cell has one object, of its best class. The last that is given
    is the cells' numbers, int64 (n,).
    """
    scores = classes.amax(0)
    cells = sure(scores, options)
    labels = classes[:, cells].argmax(0)  # of the few that are left: it costs the most
    return corners(boxes[:, cells].T), scores[cells], labels, cells


HEAD = Head(
    "yolo",
    "detection",
    "one output (B, 4 + classes, cells)",
    fits,
    labels,
    decode,
    letterboxed,
    reads=reads,
)
