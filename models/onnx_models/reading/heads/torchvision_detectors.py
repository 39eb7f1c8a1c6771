"""torchvision's detectors, which choose by themselves: boxes (n, 4), labels (n,), scores (n,).

Boxes are x1 y1 x2 y2 in pixels of the input. RetinaNet, SSD and FCOS give scores before labels.
Mask R-CNN adds masks (n, 1, h, w), chances over the whole input. They take one picture at a time.
Source: the documentation of torchvision.models.detection.
"""

from collections.abc import Sequence
from typing import Any

import torch

from models.answers.whole_masks import PlainMasks
from models.onnx_models.examination.facts import Facts
from models.onnx_models.reading.expected_inputs import resized_for_torchvision
from models.onnx_models.reading.heads.choosing import sure, told
from models.onnx_models.reading.heads.head import Head
from models.onnx_models.reading.shapes import Size, output_shapes, ranks
from models.records.options import OnnxOptions

_INTEGERS = ("tensor(int64)", "tensor(int32)")


def fits(facts: Facts) -> bool:
    """Say whether labels follow the boxes, and scores them."""
    return _has(facts, [2, 1, 1]) and facts.outputs[1].dtype in _INTEGERS


def fits_scores_first(facts: Facts) -> bool:
    """Say whether scores follow the boxes, and labels them."""
    return _has(facts, [2, 1, 1]) and facts.outputs[2].dtype in _INTEGERS


def fits_masks(facts: Facts) -> bool:
    """Say whether there are masks as well."""
    return _has(facts, [2, 1, 1, 4]) and facts.outputs[1].dtype in _INTEGERS


def _has(facts: Facts, expected: list[int]) -> bool:
    return ranks(facts) == expected and output_shapes(facts)[0][1] == 4


def decode(
    outputs: Sequence[torch.Tensor], size: Size, options: OnnxOptions
) -> list[dict[str, Any]]:
    """Give the objects of the one picture, of boxes, labels, scores and perhaps masks."""
    boxes, labels, scores, *masks = outputs
    rows = sure(scores, options)
    found = told(boxes[rows], scores[rows], labels[rows], size)
    if masks:
        shares = (masks[0][rows, 0] * 255).round_().to(torch.uint8)
        return [{**found, "whole_masks": PlainMasks(shares)}]
    return [found]


def decode_scores_first(
    outputs: Sequence[torch.Tensor], size: Size, options: OnnxOptions
) -> list[dict[str, Any]]:
    """Give the objects of the one picture, of boxes, scores and labels."""
    boxes, scores, labels = outputs
    return decode((boxes, labels, scores), size, options)


_NOTE = "The number 0 is the background's, so labels begin with its name."
HEAD = Head(
    "torchvision",
    "detection",
    "three outputs (n, 4), (n,), (n,) of boxes, labels as integers, scores",
    fits,
    labels=lambda _: None,
    decode=decode,
    preprocess=resized_for_torchvision,
    single=True,
    note=_NOTE,
)
SCORES_FIRST_HEAD = Head(
    "torchvision-scores-first",
    "detection",
    "three outputs (n, 4), (n,), (n,) of boxes, scores, labels as integers",
    fits_scores_first,
    labels=lambda _: None,
    decode=decode_scores_first,
    preprocess=resized_for_torchvision,
    single=True,
    note=_NOTE,
)
MASKS_HEAD = Head(
    "torchvision-masks",
    "segmentation",
    "four outputs (n, 4), (n,), (n,), (n, 1, h, w) of boxes, labels as integers, scores, masks",
    fits_masks,
    labels=lambda _: None,
    decode=decode,
    preprocess=resized_for_torchvision,
    single=True,
    note=_NOTE,
)
