"""timm's config.json, as timm writes it and as the hub has it, read as a record."""

import json
from pathlib import Path
from typing import Any

import pytest
import timm
from timm.models._hub import save_config_for_hf

from models.networks.timm_networks import build, describe
from models.records.record import ModelRecord
from pixelmill.client.hub.timm_settings import read_timm_config
from pixelmill.wire.errors import InvalidInput

PUBLISHED = {
    "input_size": [3, 224, 224],
    "interpolation": "bicubic",
    "crop_pct": 0.95,
    "mean": [0.5, 0.5, 0.5],
    "std": [0.25, 0.25, 0.25],
    "classifier": "fc",
}
CONFIG = {"architecture": "resnet18", "num_classes": 3, "pretrained_cfg": PUBLISHED}
NAMES = ["n1", "n2", "n3"]


def changed(**published: Any) -> dict[str, Any]:
    return {**CONFIG, "pretrained_cfg": {**PUBLISHED, **published}}


def refused(config: dict[str, Any]) -> str:
    with pytest.raises(InvalidInput, match=r"config\.json") as caught:
        read_timm_config(config)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["resnet18", "test_vit", "convnext_atto", "beit_base_patch16_224"])
def test_what_timm_saves_is_what_timm_publishes(name: str, tmp_path: Path) -> None:
    network = timm.create_model(name, pretrained=False)
    save_config_for_hf(network, str(tmp_path / "config.json"))
    record = read_timm_config(json.loads((tmp_path / "config.json").read_text()))
    shapes = {key: tuple(each.shape) for key, each in network.state_dict().items()}
    told = describe({"architecture": f"timm/{name}"}, shapes)
    options = record.pop("options")
    assert record == {"architecture": f"timm/{name}", "preprocess": dict(told["preprocess"])}
    assert options.keys() <= {"global_pool", "img_size"}
    asked = {"name": "x", "task": "classification", "labels": ["a"] * 1000, **record}
    whole = ModelRecord.from_json({**asked, "options": {**options, "num_classes": 1000}})
    build(whole).load_state_dict(network.state_dict())


def test_the_file_counts_where_it_differs_from_the_library() -> None:
    assert read_timm_config(CONFIG)["preprocess"] == {
        "resize": 235,
        "crop": 224,
        "interpolation": "bicubic",
        "resize_by": "pillow",
        "channels": 3,
        "mean": [0.5, 0.5, 0.5],
        "std": [0.25, 0.25, 0.25],
    }
    squashed = read_timm_config(changed(crop_mode="squash", crop_pct=1.0, input_size=[1, 64, 96],
                                        mean=[0.5], std=[0.5]))["preprocess"]  # fmt: skip
    assert (squashed["resize"], squashed["crop"]) == ([64, 96], [64, 96])
    assert squashed["channels"] == 1


def test_what_is_left_out_is_as_timm_has_it() -> None:
    told = read_timm_config({"architecture": "resnet18", "pretrained_cfg": {}})["preprocess"]
    assert (told["resize"], told["crop"], told["interpolation"]) == (256, 224, "bicubic")
    assert told["mean"] == [0.485, 0.456, 0.406]


@pytest.mark.parametrize("names", [NAMES, {"0": "n1", "1": "n2", "2": "n3"}])
def test_names_of_classes_are_described_where_the_file_describes_them(names: Any) -> None:
    told = {**CONFIG, "label_names": names, "label_descriptions": {"n1": "tench, a fish"}}
    assert read_timm_config(told)["labels"] == ["tench, a fish", "n2", "n3"]
    assert read_timm_config(changed(label_names=names))["labels"] == NAMES
    assert "labels" not in read_timm_config(CONFIG)


def test_an_older_file_holds_all_of_it_at_the_top() -> None:
    told = read_timm_config({"architecture": "resnet18", "labels": NAMES, **PUBLISHED})
    assert told["labels"] == NAMES
    assert told["preprocess"]["resize"] == 235


def test_a_network_without_classes_gives_features() -> None:
    told = read_timm_config({**CONFIG, "num_classes": 0, "label_names": NAMES})
    assert told["architecture"] == "timm/resnet18-embedding"
    assert "labels" not in told


def test_arguments_of_training_and_of_the_record_say_nothing_new() -> None:
    arguments = {"num_classes": 3, "drop_rate": 0.1, "drop_path_rate": 0.2, "global_pool": None}
    assert read_timm_config({**CONFIG, "model_args": arguments}) == read_timm_config(CONFIG)


def test_pooling_and_size_are_options() -> None:
    told = read_timm_config({**CONFIG, "model_args": {"global_pool": "max", "img_size": 64}})
    assert told["options"] == {"global_pool": "max", "img_size": [64, 64]}
    assert "options" not in read_timm_config(CONFIG)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({**CONFIG, "architecture": "../x"}, "architecture"),
        ({**CONFIG, "architecture": 3}, "architecture"),
        ({**CONFIG, "model_args": {"global_pool": ""}}, "global_pool=''"),
        ({**CONFIG, "model_args": {"img_size": "large"}}, "img_size"),
        ({**CONFIG, "model_args": {"act_layer": "gelu"}}, "act_layer='gelu'"),
        ({**CONFIG, "model_args": [1]}, "model_args"),
        ({**CONFIG, "label_names": {"0": "a", "2": "c"}}, "class 1"),
        ({**CONFIG, "label_names": [1, 2, 3]}, "label_names"),
        ({**CONFIG, "label_names": "abc"}, "label_names"),
        (changed(crop_mode="border"), "border"),
        (changed(input_size=[3, 224, 192]), "crop_mode"),
        (changed(input_size=[3, 224]), "input_size"),
        (changed(input_size=[3, -1, -1]), "input_size"),
        (changed(input_size="224"), "input_size"),
        (changed(mean=["a", "b", "c"]), "mean"),
        (changed(std=[0.5]), "std"),
        (changed(interpolation="random"), "random"),
        (changed(crop_pct="all"), "crop_pct"),
        (changed(crop_pct=-1), "crop_pct"),
    ],
)
def test_what_a_record_cannot_say_is_refused(config: dict[str, Any], says: str) -> None:
    assert says in refused(config)
