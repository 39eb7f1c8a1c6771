"""The seam where a head slots in: what it takes, what it gives, and what it is recognised by."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from models.onnx_models.examination.facts import Facts
from models.onnx_models.reading.shapes import PictureInput, Size
from models.records.options import OnnxOptions

# What a task reads (models/tasks): a tensor with a row a picture, bare or by the name of its form,
# or a dict a picture.
Decoded = torch.Tensor | dict[str, torch.Tensor] | list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Head:
    """One kind of outputs.

    task: the one that reads what it gives. outputs: their shapes in words, for messages.
    fits: whether a file's outputs may be of this kind. Others may fit as well.
    labels: how many labels a file's outputs have room for; None where they do not tell.
    decode: outputs, float32 on the CPU in the file's order, the input's size, options -> what the
        task reads. No picture's answer depends on its neighbours in the batch.
    preprocess: the file's input -> a record's `preprocess`, where nobody says what it is.
    side: of the input, in pixels, where neither file nor metadata says it.
    single: decodes the outputs for a batch of one picture only.
    only_named: outputs of this kind look like another's, so it is used where it is asked for.
    note: what is assumed, for the model's description.
    scale_is_open: networks of this kind are given pixels in many scales: one has to be said.
    reads: whether outputs can be read as this kind where it is named; None: those that `fits`.
    """

    name: str
    task: str
    outputs: str
    fits: Callable[[Facts], bool]
    labels: Callable[[Facts], int | None]
    decode: Callable[[Sequence[torch.Tensor], Size, OnnxOptions], Decoded]
    preprocess: Callable[[PictureInput], dict[str, Any]]
    side: int = 640
    single: bool = False
    only_named: bool = False
    note: str = ""
    scale_is_open: bool = False
    reads: Callable[[Facts], bool] | None = None
