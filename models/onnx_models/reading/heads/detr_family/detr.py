"""DETR and its kin: scores (B, Q, K) and boxes (B, Q, 4), a row a query, nothing to thin out.

Boxes are centre x, centre y, width and height as shares of the input's sides. DETR has a class of
no object, its last, and its scores are a softmax's; RT-DETR and Deformable DETR have none, and each
of their scores stands for itself. Which of the two a file is, the number of labels says.
Source: DETR's and RT-DETR's papers; `post_process_object_detection` in transformers.
"""

from collections.abc import Sequence
from typing import Any, Final

import torch

from models.onnx_models.examination.facts import Facts
from models.onnx_models.reading.expected_inputs import stretched, stretched_to_imagenet
from models.onnx_models.reading.heads.choosing import corners, in_pixels, sure, told
from models.onnx_models.reading.heads.head import Head
from models.onnx_models.reading.shapes import Size, output_shapes, ranks
from models.records.options import OnnxOptions

# More rows than any DETR has queries, and fewer than an SSD has anchors.
MOST_QUERIES: Final = 1_000


def fits(facts: Facts) -> bool:
    """Say whether there are scores and then boxes, of so few rows that they are queries."""
    if ranks(facts) != [3, 3]:
        return False
    scores, boxes = output_shapes(facts)
    if boxes[2] != 4 or scores[1] != boxes[1] or scores[2] is None or scores[2] < 2:
        return False
    return boxes[1] is None or boxes[1] <= MOST_QUERIES


def decode_softmax(
    outputs: Sequence[torch.Tensor], size: Size, options: OnnxOptions
) -> list[dict[str, Any]]:
    """Give each picture's objects: a query has one, of its best class that is one."""
    found = []
    for logits, boxes in zip(*outputs, strict=True):
        scores, labels = logits.softmax(-1)[:, :-1].max(-1)
        rows = sure(scores, options)
        placed = in_pixels(corners(boxes[rows]), size)
        found.append(told(placed, scores[rows], labels[rows], size))
    return found


def decode_sigmoid(
    outputs: Sequence[torch.Tensor], size: Size, options: OnnxOptions
) -> list[dict[str, Any]]:
    """Give each picture's objects: the best scores of all, as many as there are queries."""
    found = []
    for logits, boxes in zip(*outputs, strict=True):
        scores, places = logits.sigmoid().flatten().topk(len(boxes))
        queries, labels = places // logits.shape[1], places % logits.shape[1]
        rows = sure(scores, options)
        placed = in_pixels(corners(boxes[queries[rows]]), size)
        found.append(told(placed, scores[rows], labels[rows], size))
    return found


def _columns(facts: Facts) -> int:
    columns = output_shapes(facts)[0][2]
    assert columns is not None
    return columns


HEAD = Head(
    "detr",
    "detection",
    "two outputs (B, queries, classes + 1) and (B, queries, 4)",
    fits,
    lambda facts: _columns(facts) - 1,
    decode_softmax,
    stretched_to_imagenet,
)
SIGMOID_HEAD = Head(
    "rt-detr",
    "detection",
    "two outputs (B, queries, classes) and (B, queries, 4)",
    fits,
    _columns,
    decode_sigmoid,
    stretched,
)
