"""YOLOv7 exported end to end: (n, 7), picture x1 y1 x2 y2 class score, in pixels of the input.

n is the number of objects in the whole batch. Source: YOLOv7's README, `export.py --end2end`.
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
    """Say whether there are rows of seven, as many as there happen to be."""
    if ranks(facts) != [2] or output_shapes(facts)[0][1] != 7:
        return False
    return facts.outputs[0].shape[:1] == (None,)  # a classifier says that it has a row a picture


def decode(
    outputs: Sequence[torch.Tensor], size: Size, options: OnnxOptions
) -> list[dict[str, Any]]:
    """Give the objects of the one picture."""
    rows = outputs[0][sure(outputs[0][:, 6], options)]
    return [told(rows[:, 1:5], rows[:, 6], rows[:, 5], size)]


HEAD = Head(
    "yolov7-end-to-end",
    "detection",
    "one output (n, 7) of picture x1 y1 x2 y2 class score",
    fits,
    labels=lambda _: None,
    decode=decode,
    preprocess=letterboxed,
    single=True,
)
