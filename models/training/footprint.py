"""How much memory a training takes, told before any of it is taken.

Weights, their gradients, and what the optimiser remembers of each: four numbers a parameter. And
what the forward pass keeps of each example until the backward pass: counted by running it once on
torch's `meta` device, where tensors have shapes and no numbers.
"""

import torch
from torch import nn

from models.records.errors import TrainingFailed
from models.records.record import ModelRecord
from models.runtime.task_tables import TASKS, VIDEO_TASKS
from models.runtime.torch_runtime import build
from models.training.examples import DecodersHere, examples_of
from models.training.recipes import Recipe

_NUMBERS_A_PARAMETER = 4
_BYTES_A_NUMBER = 4
# Batch normalisation does not train on a single example.
_TRIED = 2


def check_footprint(record: ModelRecord, recipe: Recipe, most: int) -> None:
    """Refuse a training that would take more than `most` bytes; raises TrainingFailed."""
    needed = training_bytes(record, recipe)
    if needed > most:
        raise TrainingFailed(
            f"Training {recipe.architecture!r} with batches of {recipe.batch} would take about "
            f"{needed / 1e9:.1f} GB of memory; at most {most / 1e9:.1f} GB are given here. Choose "
            "a smaller batch or a smaller network."
        )


def training_bytes(record: ModelRecord, recipe: Recipe) -> int:
    """Estimate the bytes that a training takes on its device.

    Raises RecordError, and TrainingFailed for a network that cannot be tried in this way.
    """
    try:
        with torch.device("meta"):
            module = build(record)
        kept = _kept_of_an_example(record, module)
    except (NotImplementedError, AssertionError, RuntimeError) as err:
        raise TrainingFailed(
            f"The network {recipe.architecture!r} cannot be trained here; choose another one. "
            f"({err})"
        ) from err
    parameters = sum(each.numel() for each in module.parameters())
    return _NUMBERS_A_PARAMETER * _BYTES_A_NUMBER * parameters + recipe.batch * kept


def _kept_of_an_example(record: ModelRecord, module: nn.Module) -> int:
    """Count the bytes that autograd keeps of one example, the parameters themselves left out."""
    kept: dict[int, torch.UntypedStorage] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        # By what lies under it: views of one tensor share their numbers.
        storage = tensor.untyped_storage()
        kept[storage._cdata] = storage
        return tensor

    batch = torch.empty(_TRIED, *_shape_of_an_example(record), device="meta")
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        examples_of(record, DecodersHere()).scores(module.train(), batch)
    own = {each.untyped_storage()._cdata for each in module.parameters()}
    return sum(each.nbytes() for place, each in kept.items() if place not in own) // _TRIED


def _shape_of_an_example(record: ModelRecord) -> tuple[int, ...]:
    if record.task in VIDEO_TASKS:
        return tuple(VIDEO_TASKS[record.task].blank(record).frames.shape)
    return tuple(TASKS[record.task].blank(record).pixels.shape)
