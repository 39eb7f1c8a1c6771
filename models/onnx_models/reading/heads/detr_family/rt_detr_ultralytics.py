"""RT-DETR as Ultralytics exports it: (B, Q, 4 + C), a row a query, nothing to thin out.

Boxes are centre x, centre y, width and height as shares of the input's sides; scores are
probabilities. Pictures are stretched to the input. Source: docs.ultralytics.com.
"""

from collections.abc import Sequence
from typing import Any

import torch

from models.onnx_models.examination.facts import Facts
from models.onnx_models.reading.expected_inputs import stretched_by_opencv
from models.onnx_models.reading.heads.choosing import corners, in_pixels, sure, told
from models.onnx_models.reading.heads.detr_family.detr import MOST_QUERIES
from models.onnx_models.reading.heads.head import Head
from models.onnx_models.reading.shapes import Size, cell_counts, output_shapes, ranks
from models.records.options import OnnxOptions


def is_told_to_be_rt_detr(facts: Facts) -> bool | None:
    """Say what the metadata's description says; None where it says neither this nor YOLO."""
    told_of = facts.metadata.get("description", "").lower()
    if "rtdetr" in told_of or "rt-detr" in told_of:
        return True
    return False if "yolo" in told_of else None


def fits(facts: Facts) -> bool:
    """Say whether there are so few rows that they are queries."""
    if ranks(facts) != [3] or is_told_to_be_rt_detr(facts) is False:
        return False
    _, rows, columns = output_shapes(facts)[0]
    if rows is None or columns is None or columns <= 4 or {rows, columns} & cell_counts(facts):
        return False
    return 0 < rows <= MOST_QUERIES


def labels(facts: Facts) -> int | None:
    """Count the classes."""
    columns = output_shapes(facts)[0][2]
    return None if columns is None else columns - 4


def decode(
    outputs: Sequence[torch.Tensor], size: Size, options: OnnxOptions
) -> list[dict[str, Any]]:
    """Give each picture's objects: a query has one, of its best class."""
    found = []
    for picture in outputs[0]:
        scores, labels = picture[:, 4:].max(1)
        rows = sure(scores, options)
        placed = in_pixels(corners(picture[rows, :4]), size)
        found.append(told(placed, scores[rows], labels[rows], size))
    return found


HEAD = Head(
    "rt-detr-ultralytics",
    "detection",
    "one output (B, queries, 4 + classes)",
    fits,
    labels,
    decode,
    stretched_by_opencv,
)
