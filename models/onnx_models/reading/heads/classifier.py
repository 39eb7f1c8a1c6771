"""Classifiers: one score a class, (B, C), or one score alone, (B, 1), for the second of two."""

from collections.abc import Sequence

import torch

from models.onnx_models.examination.facts import Facts
from models.onnx_models.reading.expected_inputs import cropped
from models.onnx_models.reading.heads.head import Head
from models.onnx_models.reading.shapes import Shape, Size, output_shapes
from models.records.options import OnnxOptions


def fits(facts: Facts) -> bool:
    """Say whether there is one output with a row a picture."""
    shapes = output_shapes(facts)
    return len(shapes) == 1 and is_row_a_picture(shapes[0], facts)


def is_row_a_picture(shape: Shape, facts: Facts) -> bool:
    """Say whether an output is (B, C), or (B, C, 1, 1)."""
    if len(shape) not in (2, 4) or any(side != 1 for side in shape[2:]):
        return False
    return not facts.blank or shape[0] in (facts.blank[0], None)


def labels(facts: Facts) -> int | None:
    """Count the classes; a score alone is one of two."""
    count = output_shapes(facts)[0][1]
    return 2 if count == 1 else count


def decode(outputs: Sequence[torch.Tensor], _size: Size, options: OnnxOptions) -> torch.Tensor:
    """Give logits, float32 (B, C): a softmax over them gives probabilities back where they were."""
    return as_logits(outputs[0].flatten(1), options)


def as_logits(scores: torch.Tensor, options: OnnxOptions) -> torch.Tensor:
    """Turn scores (B, C, ...) into logits (B, C, ...), or (B, 1, ...) into (B, 2, ...).

    `options.outputs` says what they are: "logits" unless it says "probabilities".
    """
    if options.outputs == "probabilities":
        # Of nothing there is no logarithm that a softmax could take.
        return of_both(scores).clamp(min=torch.finfo(torch.float32).tiny).log()
    if scores.shape[1] == 1:
        return torch.cat((torch.zeros_like(scores), scores), 1)
    return scores


def of_both(chances: torch.Tensor) -> torch.Tensor:
    """Give the chances of both classes (B, 2, ...) where (B, 1, ...) are those of the second."""
    return torch.cat((1 - chances, chances), 1) if chances.shape[1] == 1 else chances


HEAD = Head(
    "classifier",
    "classification",
    "one output (B, classes)",
    fits,
    labels,
    decode,
    cropped,
    side=224,
    scale_is_open=True,
)
