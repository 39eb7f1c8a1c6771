"""YOLOX: (B, N, 5 + C), one row a cell; places are told in cells, sides as logarithms of strides.

Source: YOLOX's paper and its ONNX demo. Exported with `--decode_in_inference`, boxes are centre x,
centre y, width and height in pixels; those look the same, so that head is used where it is named.
"""

from collections.abc import Sequence
from typing import Any

import torch

from models.onnx_models.examination.facts import Facts
from models.onnx_models.reading.expected_inputs import letterboxed_by_yolox
from models.onnx_models.reading.heads.head import Head
from models.onnx_models.reading.heads.yolo_family import yolo_anchors
from models.onnx_models.reading.heads.yolo_family.yolo_anchors import best_of_rows, labels
from models.onnx_models.reading.shapes import (
    USUAL_STRIDES,
    Size,
    cells,
    output_shapes,
    ranks,
    tried_size,
)
from models.records.options import OnnxOptions


def fits(facts: Facts) -> bool:
    """Say whether there is one row for each cell of the usual grids."""
    size = tried_size(facts)
    if ranks(facts) != [3] or size is None:
        return False
    _, rows, columns = output_shapes(facts)[0]
    return rows == cells(size) and columns is not None and columns > 5


def decode(
    outputs: Sequence[torch.Tensor], size: Size, options: OnnxOptions
) -> list[dict[str, Any]]:
    """Give each picture's objects."""
    places, strides = _grids(size)
    middles = (outputs[0][..., :2] + places) * strides
    sides = outputs[0][..., 2:4].exp() * strides
    pictures = torch.cat((middles, sides, outputs[0][..., 4:]), -1)
    return [best_of_rows(picture, size, options) for picture in pictures]


def _grids(size: Size) -> tuple[torch.Tensor, torch.Tensor]:
    """Give x and y of each cell in its grid, (N, 2), and its stride, (N, 1): line by line."""
    places, strides = [], []
    for stride in USUAL_STRIDES:
        down, across = (torch.arange(-(-side // stride)) for side in size)
        y, x = torch.meshgrid(down, across, indexing="ij")
        places.append(torch.stack((x, y), -1).reshape(-1, 2))
        strides.append(torch.full((y.numel(), 1), stride))
    return torch.cat(places).float(), torch.cat(strides).float()


HEAD = Head(
    "yolox",
    "detection",
    "one output (B, cells, 5 + classes)",
    fits,
    labels,
    decode,
    letterboxed_by_yolox,
    note="Boxes are taken to be told in cells, as YOLOX exports them; --head yolox-decoded reads "
    "those in pixels.",
)
DECODED_HEAD = Head(
    "yolox-decoded",
    "detection",
    "one output (B, cells, 5 + classes), boxes in pixels",
    fits,
    labels,
    yolo_anchors.decode,
    letterboxed_by_yolox,
    only_named=True,
)
