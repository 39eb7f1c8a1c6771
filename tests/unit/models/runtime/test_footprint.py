"""What a training takes is known before it is taken."""

import pytest
import torch
from torch import nn

from models.records.errors import TrainingFailed
from models.records.record import ModelRecord
from models.runtime.torch_runtime import build
from models.training.footprint import check_footprint, training_bytes
from models.training.new_records import new_record
from models.training.recipes import Recipe, read_recipe


def training(architecture: str, batch: int) -> tuple[ModelRecord, Recipe]:
    recipe = read_recipe({"architecture": architecture, "batch": batch})
    return new_record("mine", recipe, ("a", "b")), recipe


@pytest.mark.parametrize(
    "architecture",
    ["digits", "torchvision/resnet18", "recurrent/digits-lstm", "torchvision/r3d_18"],
)
def test_it_grows_with_the_batch_from_four_numbers_a_parameter(architecture: str) -> None:
    few, many = (training_bytes(*training(architecture, batch)) for batch in (2, 6))
    parameters = sum(each.numel() for each in build(training(architecture, 2)[0]).parameters())
    each = (many - few) / 4
    assert each > 0
    assert few - 2 * each == pytest.approx(16 * parameters, abs=16)


def test_what_is_kept_of_an_example_is_what_a_real_step_keeps() -> None:
    record, recipe = training("torchvision/squeezenet1_1", batch=2)
    module, kept = build(record).train(), dict[int, int]()
    own = {each.data_ptr() for each in module.parameters()}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        logits = module(torch.rand(2, 3, 224, 224))
    loss = nn.functional.cross_entropy(logits, torch.tensor([0, 1]))
    assert loss.isfinite()
    real = sum(size for place, size in kept.items() if place not in own)
    parameters = sum(each.numel() for each in module.parameters())
    assert training_bytes(record, recipe) - 16 * parameters == pytest.approx(real, rel=0.05)


def test_one_that_takes_too_much_is_refused_with_what_to_do() -> None:
    with pytest.raises(TrainingFailed, match=r"about \d+\.\d GB.*a smaller batch"):
        check_footprint(*training("torchvision/vit_b_16", batch=512), most=8 * 2**30)
    check_footprint(*training("digits", batch=512), most=2**30)
