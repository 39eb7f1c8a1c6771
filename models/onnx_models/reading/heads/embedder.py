"""Embedders: one vector a picture, (B, d), beside which there may be a sequence of others."""

from collections.abc import Sequence

import torch

from models.onnx_models.examination.facts import Facts
from models.onnx_models.reading.expected_inputs import cropped
from models.onnx_models.reading.heads.classifier import is_row_a_picture
from models.onnx_models.reading.heads.head import Head
from models.onnx_models.reading.shapes import Size, output_shapes
from models.records.options import OnnxOptions


def fits(facts: Facts) -> bool:
    """Say whether exactly one output has a row a picture; vision transformers give two outputs."""
    shapes = output_shapes(facts)
    rows = [shape for shape in shapes if is_row_a_picture(shape, facts)]
    return len(rows) == 1 and all(shape in rows or len(shape) == 3 for shape in shapes)


def decode(outputs: Sequence[torch.Tensor], _size: Size, _options: OnnxOptions) -> torch.Tensor:
    """Give the vectors, float32 (B, d)."""
    vectors = next(each for each in outputs if each.dim() != 3)
    return vectors.flatten(1)


HEAD = Head(
    "embedder",
    "embedding",
    "one output (B, d)",
    fits,
    labels=lambda _: 0,  # numbers of a vector have no names
    decode=decode,
    preprocess=cropped,
    side=224,
    scale_is_open=True,
)
