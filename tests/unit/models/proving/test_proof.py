"""A network held against its own library, as it is and with something wrong on the way."""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image
from safetensors.torch import save

from benchmarks.parity.hugging_face.tinies import TINIES
from benchmarks.parity.hugging_face.tiny import Tiny, read
from models.media.pictures import decode
from models.proving.__main__ import check as ask
from models.proving.check import Check
from models.proving.proof import prove
from models.records.errors import RecordError
from models.records.record import ModelRecord
from models.runtime.completion import complete
from models.runtime.registry import load
from tests.unit.models.proving.asking import LABELS, no_onnx, of_timm, proven, sure


def test_a_network_of_timm_answers_as_timm_does(
    timm_file: tuple[ModelRecord, bytes, Path],
) -> None:
    record, weights, path = timm_file
    proof = proven(record, weights, of_timm(path))
    assert proof.holds
    assert proof.samples == 3
    assert set(proof.against) == {"timm", "torch"}
    (difference,) = proof.worst
    assert (difference.measure, difference.compared) == ("confidence", 15)
    assert difference.worst < 1e-5


def test_a_grey_network_of_timm_answers_as_timm_does(tmp_path: Path) -> None:
    network = timm.create_model("test_resnet", pretrained=False, num_classes=5, in_chans=1).eval()
    sure(network)
    weights = save({key: each.contiguous() for key, each in network.state_dict().items()})
    path = tmp_path / "grey.safetensors"
    path.write_bytes(weights)
    asked = {"name": "cats", "architecture": "timm/test_resnet", "labels": LABELS}
    proof = proven(complete(asked, weights, no_onnx), weights, of_timm(path))
    assert proof.holds, proof.refusal()


def test_its_features_are_timms(timm_file: tuple[ModelRecord, bytes, Path]) -> None:
    _, weights, path = timm_file
    asked = {"name": "cats", "architecture": "timm/test_resnet-embedding"}
    record = complete(asked, weights, no_onnx)
    proof = proven(record, weights, of_timm(path, record.architecture))
    assert proof.holds
    assert [each.measure for each in proof.worst] == ["cosine"]


def test_a_class_that_the_model_does_not_know_is_named(
    timm_file: tuple[ModelRecord, bytes, Path],
) -> None:
    record, weights, path = timm_file
    given = ask(of_timm(path))
    given["samples"][0]["predictions"] = [{"class": "dgo", "confidence": 0.5}]
    with pytest.raises(RecordError, match=r"class 'dgo' of wide\.png.*'dog'"):
        prove(load(record, weights), Check.model_validate(given), decode, lambda work: work())


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        ({"class": "dog", "class_id": 0}, r"class 0 of wide\.png is called 'dog', .* 'cat'"),
        ({"class_id": 5}, r"class 5 of wide\.png, and the model has 5 labels"),
    ],
)
def test_a_class_by_name_and_number_is_both(
    timm_file: tuple[ModelRecord, bytes, Path], expected: dict[str, Any], words: str
) -> None:
    record, weights, path = timm_file
    given = ask(of_timm(path))
    given["samples"][0]["predictions"] = [{**expected, "confidence": 0.5}]
    with pytest.raises(RecordError, match=words):
        prove(load(record, weights), Check.model_validate(given), decode, lambda work: work())


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "CMYK", "I;16"])
def test_odd_pictures_are_read_alike(timm_file: tuple[ModelRecord, bytes, Path], mode: str) -> None:
    record, weights, path = timm_file
    rough = np.random.default_rng(3).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    picture = Image.fromarray(rough).resize((99, 71), Image.Resampling.BICUBIC)
    if mode == "I;16":
        grey = np.asarray(picture.convert("L"), np.uint16) * 257
        picture = Image.fromarray(grey)
    else:
        picture = picture.convert(mode)
    name = path.parent / f"odd-{mode[:1]}.{'tif' if mode == 'CMYK' else 'png'}"
    picture.save(name)
    proof = proven(record, weights, {**of_timm(path), "samples": [str(name)]})
    assert proof.holds, proof.refusal()


def test_the_precision_of_jobs_is_not_that_of_the_check(
    timm_file: tuple[ModelRecord, bytes, Path],
) -> None:
    record, weights, path = timm_file
    network = load(record, weights, autocast=torch.bfloat16)
    check = Check.model_validate(ask(of_timm(path)))
    assert prove(network, check, decode, lambda work: work()).holds


def test_a_check_of_another_task_is_refused(timm_file: tuple[ModelRecord, bytes, Path]) -> None:
    _, weights, path = timm_file
    asked = {"name": "cats", "architecture": "timm/test_resnet-embedding"}
    network = load(complete(asked, weights, no_onnx), weights)
    check = Check.model_validate(ask(of_timm(path)))
    with pytest.raises(RecordError, match="without `embedding`"):
        prove(network, check, decode, lambda work: work())


def test_a_picture_that_cannot_be_read_is_named(
    timm_file: tuple[ModelRecord, bytes, Path],
) -> None:
    record, weights, _ = timm_file
    data = base64.b64encode(b"no picture").decode()
    sample = {"name": "odd.jpg", "data": data, "predictions": [{"class_id": 0}]}
    check = Check.model_validate({"samples": [sample]})
    with pytest.raises(RecordError, match=r"odd\.jpg cannot be read"):
        prove(load(record, weights), check, decode, lambda work: work())


@pytest.mark.parametrize(
    ("name", "measures"),
    [
        ("mobilenet_v3_small", {"confidence"}),
        ("mobilenet_v3_small-embedding", {"cosine"}),
        ("ssdlite320_mobilenet_v3_large", {"confidence", "box IoU"}),
        ("lraspp_mobilenet_v3_large", {"mask IoU"}),
    ],
)
def test_networks_of_torchvision_answer_as_torchvision_does(
    tmp_path: Path, name: str, measures: set[str]
) -> None:
    architecture, plain = f"torchvision/{name}", name.removesuffix("-embedding")
    options = {} if plain.startswith("mobilenet") else {"weights_backbone": None}
    network = torchvision.models.get_model(
        plain, weights=None, num_classes=len(LABELS), **options
    ).eval()
    # More, and all objects of a detector are certain.
    sure(network, 1.4 if plain.startswith("mobilenet") else 1.2)
    weights = save({key: each.contiguous() for key, each in network.state_dict().items()})
    path = tmp_path / "weights.safetensors"
    path.write_bytes(weights)
    asked = {"name": "cats", "architecture": architecture, "labels": LABELS}
    record = complete(asked, weights, no_onnx)
    proof = proven(
        record,
        weights,
        {"architecture": architecture, "weights": str(path), "classes": len(LABELS)},
    )
    assert proof.holds, proof.refusal()
    assert {each.measure for each in proof.worst} == measures


@pytest.mark.parametrize(
    "tiny",
    [each for each in TINIES if each.task != "video-classification"],
    ids=lambda tiny: tiny.name,
)
def test_folders_of_hugging_face_answer_as_transformers_does(tmp_path: Path, tiny: Tiny) -> None:
    folder = tmp_path / "folder"
    tiny.save(folder)
    record, weights = read(folder, **tiny.asked)
    asked = {
        "architecture": record.architecture,
        "weights": str(folder / "model.safetensors"),
        "folder": str(folder),
    }
    proof = proven(record, weights, asked)
    assert proof.holds, proof.refusal()
    assert proof.worst
