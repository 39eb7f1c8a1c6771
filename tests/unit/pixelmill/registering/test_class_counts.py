"""Weights of another number of classes than was said are refused by their header."""

import json
from pathlib import Path
from typing import Any

import pytest

from pixelmill import InvalidInput
from pixelmill.client.registering.class_counts import check_classes
from pixelmill.client.registering.pushing import pushed
from tests.model_files.weights_files import safetensors


def weights(path: Path, **shapes: list[int]) -> Path:
    tensors, end = {}, 0
    for name, shape in shapes.items():
        size = 4
        for side in shape:
            size *= side
        tensors[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    path.write_bytes(safetensors(tensors, bytes(end)))
    return path


def said(architecture: str, *labels: str) -> dict[str, Any]:
    return {"architecture": architecture, "labels": list(labels)}


@pytest.mark.parametrize(
    ("architecture", "last"),
    [
        ("timm/mobilenetv3_small_050", "classifier.weight"),
        ("timm/convnext_tiny", "head.fc.weight"),
        ("torchvision/resnet18", "fc.weight"),
        ("torchvision/vit_b_16", "heads.head.weight"),
    ],
)
def test_one_label_too_few_is_told_with_both_numbers(
    tmp_path: Path, architecture: str, last: str
) -> None:
    file = weights(tmp_path / "w.safetensors", **{last: [3, 8], "conv.weight": [8, 3]})
    with (
        pytest.raises(InvalidInput, match=r"There are 2 labels, .* tells 3 classes apart"),
        pushed(file, said(architecture, "cat", "dog")),
    ):
        pass
    check_classes(file, file, said(architecture, "cat", "dog", "owl"))
    check_classes(file, file, said(architecture + "-embedding", "embedding"))
    check_classes(file, file, {"architecture": architecture})


def test_of_a_classifier_in_steps_the_last_counts(tmp_path: Path) -> None:
    shapes = {"classifier.0.weight": [9, 8], "classifier.12.weight": [2, 9]}
    file = weights(tmp_path / "w", **{**shapes, "classifier.3.weight": [9, 9]})
    check_classes(file, file, said("torchvision/vgg11", "cat", "dog"))
    with pytest.raises(InvalidInput, match=r"classifier\.12\.weight is \(2, 9\)"):
        check_classes(file, file, said("torchvision/vgg11", "cat"))


def test_where_the_last_layer_is_not_known_nothing_is_said(tmp_path: Path) -> None:
    file = weights(tmp_path / "w", **{"roi_heads.box_predictor.cls_score.weight": [3, 8]})
    check_classes(file, file, said("torchvision/fasterrcnn_resnet50_fpn", "cat"))
    both = weights(tmp_path / "both", **{"fc.weight": [3, 8], "classifier.weight": [2, 8]})
    check_classes(both, both, said("timm/resnet18", "cat"))


def folder(path: Path, classes: int, **config: Any) -> Path:
    path.mkdir()
    weights(path / "model.safetensors", **{"classifier.weight": [classes, 8]})
    whole = {"model_type": "vit", "architectures": ["ViTForImageClassification"], **config}
    (path / "config.json").write_text(json.dumps(whole))
    return path


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"id2label": {"0": "a", "1": "b"}}, r"config\.json names 2 labels \(id2label\)"),
        ({}, r"config\.json names no labels \(taken for 2\)"),
    ],
)
def test_a_folder_whose_files_disagree_says_which_says_what(
    tmp_path: Path, config: dict[str, Any], words: str
) -> None:
    made = folder(tmp_path / "vit", 3, **config)
    with (
        pytest.raises(
            InvalidInput,
            match=words
            + r", and .*model\.safetensors tells 3 classes apart \(classifier.weight is \(3, 8\)\)",
        ),
        pushed(made, {}),
    ):
        pass


def test_a_folder_whose_files_agree_is_taken(tmp_path: Path) -> None:
    with pushed(folder(tmp_path / "two", 2), {}):
        pass
    with pushed(folder(tmp_path / "one", 1, num_labels=1), {}):
        pass
    three = {"id2label": {str(each): f"c{each}" for each in range(3)}}
    with pushed(folder(tmp_path / "three", 3, **three), {}):
        pass
    # A network of features has no answer for each class.
    with pushed(folder(tmp_path / "other", 3, architectures=["ViTModel"]), {}):
        pass
