"""Detectors that choose by themselves: (B, n, 6), x1 y1 x2 y2 score class in pixels of the input.

YOLOv10 and YOLO26 answer so, and every Ultralytics export with nms=True; rows that are left over
have a score of 0. Source: docs.ultralytics.com.
"""

from collections.abc import Sequence
from typing import Any

import torch

from models.onnx_models.examination.facts import Facts
from models.onnx_models.reading.expected_inputs import letterboxed
from models.onnx_models.reading.heads.choosing import sure, told
from models.onnx_models.reading.heads.detr_family.rt_detr_ultralytics import is_told_to_be_rt_detr
from models.onnx_models.reading.heads.head import Head
from models.onnx_models.reading.shapes import Size, cell_counts, output_shapes, ranks
from models.records.options import OnnxOptions


def fits(facts: Facts) -> bool:
    """Say whether rows have six columns, and are not as many as a YOLO with one class has."""
    if ranks(facts) != [3]:
        return False
    _, rows, columns = output_shapes(facts)[0]
    counts = cell_counts(facts)
    taken = rows is not None and (rows in counts or rows / 3 in counts)
    return columns == 6 and not taken and is_told_to_be_rt_detr(facts) is not True


def decode(
    outputs: Sequence[torch.Tensor], size: Size, options: OnnxOptions
) -> list[dict[str, Any]]:
    """Give each picture's objects."""
    pictures = [rows[sure(rows[:, 4], options)] for rows in outputs[0]]
    return [told(rows[:, :4], rows[:, 4], rows[:, 5], size) for rows in pictures]


HEAD = Head(
    "end-to-end",
    "detection",
    "one output (B, n, 6) of x1 y1 x2 y2 score class",
    fits,
    labels=lambda _: None,
    decode=decode,
    preprocess=letterboxed,
)
