"""What is named as the likely reason where answers differ."""

import base64
import dataclasses
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from models.media.pictures import decode
from models.proving.__main__ import check as ask
from models.proving.check import Check
from models.proving.proof import prove
from models.proving.suspects import paired, suspects
from models.records.record import ModelRecord
from models.runtime.registry import load
from tests.unit.models.proving.asking import of_timm, proven


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mean": [0.0] * 3, "std": [1.0] * 3}, "pixels of -1 to 1"),
        ({"interpolation": "nearest", "resize_by": "torchvision"}, "resized bilinear by pillow"),
        ({"resize": [160, 160]}, "shorter side resized to"),
    ],
    ids=["mean", "interpolation", "crop"],
)
def test_what_is_wrong_in_the_record_is_found(
    timm_file: tuple[ModelRecord, bytes, Path], changes: dict[str, Any], words: str
) -> None:
    record, weights, path = timm_file
    wrong = dataclasses.replace(record, preprocess={**record.preprocess, **changes})
    proof = proven(wrong, weights, of_timm(path))
    assert not proof.holds
    assert proof.reason is not None
    assert proof.reason.startswith("They would agree")
    assert words in proof.reason
    assert "wide.png" in proof.refusal()


def test_pictures_given_blue_first_are_found(timm_file: tuple[ModelRecord, bytes, Path]) -> None:
    record, weights, path = timm_file
    given = ask(of_timm(path))
    turned = ask(
        {**of_timm(path), "samples": [write_turned(path.parent, each) for each in given["samples"]]}
    )
    for sample, other in zip(given["samples"], turned["samples"], strict=True):
        sample["predictions"] = other["predictions"]
    check = Check.model_validate(given)
    proof = prove(load(record, weights), check, decode, lambda work: work())
    assert proof.reason is not None
    assert "BGR" in proof.reason


def write_turned(folder: Path, sample: dict[str, Any]) -> str:
    """Write a sample's picture with red and blue changed, as PNG."""
    picture = Image.open(io.BytesIO(base64.b64decode(sample["data"]))).convert("RGB")
    path = folder / f"turned-{sample['name']}"
    Image.fromarray(np.asarray(picture)[..., ::-1].copy()).save(path)
    return str(path)


def test_a_softmax_taken_twice_is_found(timm_file: tuple[ModelRecord, bytes, Path]) -> None:
    record, weights, path = timm_file
    network = load(record, weights)
    network.module = torch.nn.Sequential(network.module, torch.nn.Softmax(1))
    check = Check.model_validate(ask(of_timm(path)))
    proof = prove(network, check, decode, lambda work: work())
    assert proof.reason is not None
    assert "probabilities already" in proof.reason


def test_labels_in_another_order_are_found(timm_file: tuple[ModelRecord, bytes, Path]) -> None:
    record, weights, path = timm_file
    given = ask(of_timm(path))
    for sample in given["samples"]:
        for each in sample["predictions"]:
            each["class_id"] = 4 - each["class_id"]
    proof = prove(load(record, weights), Check.model_validate(given), decode, lambda work: work())
    assert proof.reason is not None
    assert "labels are in another order" in proof.reason


def test_channels_turned_after_the_mean_was_taken_are_found(
    timm_file: tuple[ModelRecord, bytes, Path],
) -> None:
    record, weights, path = timm_file
    uneven = {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4]}
    record = dataclasses.replace(record, preprocess={**record.preprocess, **uneven})
    author = load(record, weights)
    author.module = Turned(author.module)
    check = answered_by(author, ask(of_timm(path)))
    proof = prove(load(record, weights), check, decode, lambda work: work())
    assert proof.reason is not None
    assert proof.reason.startswith("They would agree if channels were turned to BGR after mean")


def test_two_reasons_at_once_are_found(timm_file: tuple[ModelRecord, bytes, Path]) -> None:
    record, weights, path = timm_file
    other = {
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "interpolation": "nearest",
    }
    wrong = dataclasses.replace(record, preprocess={**record.preprocess, **other})
    proof = proven(wrong, weights, of_timm(path))
    assert proof.reason is not None
    assert proof.reason.startswith("They would agree")
    assert "pixels of -1 to 1" in proof.reason
    assert "resized bilinear by pillow" in proof.reason


class Turned(torch.nn.Module):
    """A network whose author turns channels to BGR before its first layer."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: torch.Tensor) -> Any:
        return self.network(pictures.flip(1))


def answered_by(author: Any, given: dict[str, Any]) -> Check:
    """Give the check that another network's answers are."""
    for sample in given["samples"]:
        picture = decode(base64.b64decode(sample["data"]), 3, author.record.limits)
        outputs = author.forward([author.sample(picture)])
        params = {"top_k": 5, "min_confidence": 0.0, "classes": None}
        sample["predictions"] = author.postprocess(outputs, params)[0]
    return Check.model_validate(given)


def test_nothing_is_named_where_nothing_explains_it(
    timm_file: tuple[ModelRecord, bytes, Path],
) -> None:
    record, weights, path = timm_file
    given = ask(of_timm(path))
    for number, sample in enumerate(given["samples"]):
        sample["predictions"] = [{"class_id": number, "confidence": 0.77}]
    proof = prove(load(record, weights), Check.model_validate(given), decode, lambda work: work())
    assert proof.reason is None
    assert "None of the usual reasons" in proof.refusal()


def test_what_is_to_be_done_is_said_once_and_by_the_flag_where_there_is_one(
    timm_file: tuple[ModelRecord, bytes, Path],
) -> None:
    record = timm_file[0]
    known = list(suspects(record))
    scale = next(each for each in known if "pixels of 0 to 1" in each.words)
    both = [each for each in paired(scale, known) if "resized bicubic" in each.words]
    assert both
    assert all(each.remedy.count("To have it so") == 1 for each in both)
    asked = {"scale": "imagenet"}
    flagged = suspects(dataclasses.replace(record, architecture="onnx", options=asked))
    words = {each.words: each.remedy for each in flagged}
    assert words["with pixels of 0 to 1"] == "To have it so, push with --scale unit."
    assert words["with pixels of 0 to 255"].endswith("Leave out its options.scale.")
