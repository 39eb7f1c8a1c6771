"""Recipes: strict, filled in, and refused by the name of the member at fault."""

from typing import Any

import pytest
import torch

from models.networks import digits
from models.records.errors import ParamsError, RecordError
from models.records.record import ModelRecord
from models.runtime.torch_runtime import ARCHITECTURES, build
from models.training.new_records import new_record
from models.training.recipes import TRAINABLE, read_recipe


def test_a_recipe_is_filled_in() -> None:
    recipe = read_recipe({"optimizer": "sgd", "augmentation": ["flip"]})
    assert recipe.first_learning_rate == 0.05
    assert recipe.augmentation == ("flip",)
    assert read_recipe(recipe.model_dump(mode="json")) == recipe


@pytest.mark.parametrize(
    ("plain", "param"),
    [
        ({"epochs": 0}, "epochs"),
        ({"epochs": "5"}, "epochs"),
        ({"batch": 1}, "batch"),
        ({"optimizer": "lion"}, "optimizer"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"validation": 1.0}, "validation"),
        ({"augmentation": ["swirl"]}, "augmentation.0"),
        ({"kernel_size": 4}, "kernel_size"),
        ({"activation": "swish"}, "activation"),
        ({"pooling": "min"}, "pooling"),
        ({"colour": "red"}, "colour"),
        ({"architecture": "torchvision/fcn_resnet50"}, "architecture"),
        ({"architecture": "scenes-detector"}, "architecture"),
        ({"architecture": "torchvision/resnet18", "kernel_size": 5}, "kernel_size"),
    ],
)
def test_a_bad_member_is_refused_by_its_name(plain: dict[str, Any], param: str) -> None:
    with pytest.raises(ParamsError) as refused:
        read_recipe(plain)
    assert refused.value.param == param


def test_everything_that_can_be_trained_can_be_built() -> None:
    assert set(TRAINABLE) <= set(ARCHITECTURES)


def test_the_record_keeps_the_options_and_the_network_is_built_by_them() -> None:
    recipe = read_recipe({"kernel_size": 5, "activation": "tanh", "pooling": "average"})
    record = ModelRecord.from_json(new_record("mine", recipe, ("a", "b")).to_json())
    assert record.options == {"kernel_size": 5, "activation": "tanh", "pooling": "average"}
    module = build(record)
    assert isinstance(module, digits.Digits)
    assert module.conv1.weight.shape == (32, 1, 5, 5)
    assert isinstance(module.pool, torch.nn.AvgPool2d)
    assert module.activation is torch.tanh_
    assert module(torch.zeros(1, 1, 28, 28)).shape == (1, 2)


def test_a_record_without_options_builds_what_it_always_did() -> None:
    recipe = read_recipe({})
    plain = new_record("mine", recipe, ("a", "b")).to_json()
    del plain["options"]
    module = build(ModelRecord.from_json(plain))
    assert isinstance(module, digits.Digits)
    assert module.conv1.weight.shape == (32, 1, 3, 3)


@pytest.mark.parametrize(
    ("architecture", "options"),
    [
        ("digits", {"kernel_size": 4}),
        ("digits", {"activation": ["relu"]}),
        ("digits", {"depth": 3}),
        ("torchvision/resnet18", {"num_classes": 3}),
    ],
)
def test_a_record_with_options_that_make_no_sense_is_refused(
    architecture: str, options: dict[str, Any]
) -> None:
    record = ModelRecord("mine", "classification", architecture, ("a",), {}, options=options)
    with pytest.raises(RecordError, match="option"):
        build(record)
