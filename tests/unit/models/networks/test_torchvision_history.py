"""Weights that bear torchvision's old names are read as if they bore the new ones."""

import re

import pytest
import torch
from torchvision import models as tv

from models.networks.torchvision import torchvision_record
from models.networks.torchvision_history import with_modern_names
from models.runtime.registry import load
from models.runtime.torch_runtime import ARCHITECTURES
from models.runtime.weights import write


def aged(name):
    """The name that a tensor had when torchvision published its first files of a family."""
    name = re.sub(r"(inner_blocks|layer_blocks)\.(\d)\.0\.", r"\1.\2.", name)
    name = name.replace("rpn.head.conv.0.0.", "rpn.head.conv.")
    name = re.sub(r"mask_head\.(\d)\.0\.", lambda m: f"mask_head.mask_fcn{int(m[1]) + 1}.", name)
    name = re.sub(r"_head\.conv\.(\d)\.0\.", lambda m: f"_head.conv.{2 * int(m[1])}.", name)
    name = re.sub(r"(denselayer\d+\.(?:norm|conv))([12]\.)", r"\1.\2", name)
    return name.replace("mlp.0.", "mlp.linear_1.").replace("mlp.3.", "mlp.linear_2.")


@pytest.mark.parametrize(
    "name", ["maskrcnn_resnet50_fpn", "retinanet_resnet50_fpn", "densenet121", "vit_b_32"]
)
def test_old_names_become_those_of_the_network(name):
    with torch.device("meta"):
        names = ARCHITECTURES[f"torchvision/{name}"](91).state_dict()
    old = {aged(each): each for each in names}
    assert old.keys() != names.keys()
    assert all(new == each for new, each in with_modern_names(old).items())


def test_a_detector_loads_a_file_with_old_names_to_the_same_answers():
    torch.manual_seed(2)
    name = "torchvision/fasterrcnn_mobilenet_v3_large_320_fpn"
    record = torchvision_record(name)
    state = ARCHITECTURES[name](91).state_dict()
    old = {aged(key): value for key, value in state.items()}
    assert "rpn.head.conv.weight" in old
    # torchvision itself reads them so, too.
    theirs = tv.get_model(name[12:], weights=None, weights_backbone=None)
    assert theirs.load_state_dict(old, strict=False).unexpected_keys == []
    aged_state, modern_state = (
        load(record, write(each)).module.state_dict() for each in (old, state)
    )
    assert all(torch.equal(each, modern_state[key]) for key, each in aged_state.items())


def test_a_network_that_asks_for_its_version_loads_without_one():
    record = torchvision_record("torchvision/mnasnet0_5")
    state = tv.mnasnet0_5(weights=None).state_dict()
    load(record, write(state)).warm_up()


def test_names_that_are_valid_today_stay_where_they_fit():
    # FCOS has convolutions where RetinaNet once had them.
    name = "torchvision/fcos_resnet50_fpn"
    with torch.device("meta"):
        names = ARCHITECTURES[name](91).state_dict()
    assert "head.classification_head.conv.0.weight" in names
    load(torchvision_record(name), write(ARCHITECTURES[name](91).state_dict()))
