"""Semantic segmentation: one score a class and pixel, (B, C, h, w), or (B, 1, h, w) for two."""

from collections.abc import Sequence

import torch

from models.onnx_models.examination.facts import Facts
from models.onnx_models.reading.expected_inputs import stretched_to_imagenet
from models.onnx_models.reading.heads.classifier import as_logits, of_both
from models.onnx_models.reading.heads.head import Decoded, Head
from models.onnx_models.reading.shapes import Size, output_shapes
from models.records.options import OnnxOptions


def fits(facts: Facts) -> bool:
    """Say whether all outputs are equal layers: torchvision's has an auxiliary one, told second."""
    shapes = output_shapes(facts)
    alike = 1 <= len(shapes) <= 2 and len(set(shapes)) == 1 and len(shapes[0]) == 4
    return alike and any(side != 1 for side in shapes[0][2:])


def labels(facts: Facts) -> int | None:
    """Count the layers, the background's included; one alone parts two classes."""
    count = output_shapes(facts)[0][1]
    return 2 if count == 1 else count


def decode(outputs: Sequence[torch.Tensor], _size: Size, options: OnnxOptions) -> Decoded:
    """Give logits, float32 (B, C, h, w), or as "chances" the probabilities that the file gives."""
    if options.outputs == "probabilities":
        return {"chances": of_both(outputs[0])}
    return as_logits(outputs[0], options)


HEAD = Head(
    "semantic",
    "segmentation",
    "one output (B, classes, h, w)",
    fits,
    labels,
    decode,
    stretched_to_imagenet,
    scale_is_open=True,
)
