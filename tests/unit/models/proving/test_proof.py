"""A network held against its own library, as it is and with something wrong on the way."""

import base64
import dataclasses
import io
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
from models.proving.proof import Proof, prove
from models.records.errors import RecordError
from models.records.record import ModelRecord
from models.runtime.completion import complete
from models.runtime.registry import load

LABELS = ["cat", "dog", "owl", "newt", "crab"]


def no_onnx(_: bytes) -> Any:
    raise AssertionError("these are no ONNX files")


def proven(record: ModelRecord, weights: bytes, asked: dict[str, Any]) -> Proof:
    check = Check.model_validate(ask(asked))
    return prove(load(record, weights), check, decode, lambda work: work())


def sure(network: torch.nn.Module, gain: float = 1.4) -> None:
    """Set all that is learned so that answers differ from picture to picture."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, each in network.named_parameters():
            if each.dim() > 1:
                each.normal_(0, gain / max(1, each[0].numel()) ** 0.5)
            elif name.endswith("bias"):
                each.normal_(0, 0.2)


@pytest.fixture(scope="module")
def timm_file(tmp_path_factory: pytest.TempPathFactory) -> tuple[ModelRecord, bytes, Path]:
    """A network of timm that reacts to pictures, its record, and its file."""
    network = timm.create_model("test_resnet", pretrained=False, num_classes=5).eval()
    sure(network)
    weights = save({key: each.contiguous() for key, each in network.state_dict().items()})
    path = tmp_path_factory.mktemp("timm") / "weights.safetensors"
    path.write_bytes(weights)
    asked = {"name": "cats", "architecture": "timm/test_resnet", "labels": LABELS}
    return complete(asked, weights, no_onnx), weights, path


def of_timm(path: Path, architecture: str = "timm/test_resnet") -> dict[str, Any]:
    return {"architecture": architecture, "weights": str(path)}


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


def test_its_features_are_timms(timm_file: tuple[ModelRecord, bytes, Path]) -> None:
    _, weights, path = timm_file
    asked = {"name": "cats", "architecture": "timm/test_resnet-embedding"}
    record = complete(asked, weights, no_onnx)
    proof = proven(record, weights, of_timm(path, record.architecture))
    assert proof.holds
    assert [each.measure for each in proof.worst] == ["cosine"]


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
    network._module = torch.nn.Sequential(network._module, torch.nn.Softmax(1))
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


def test_a_class_that_the_model_does_not_know_is_named(
    timm_file: tuple[ModelRecord, bytes, Path],
) -> None:
    record, weights, path = timm_file
    given = ask(of_timm(path))
    given["samples"][0]["predictions"] = [{"class": "dgo", "confidence": 0.5}]
    with pytest.raises(RecordError, match=r"class 'dgo' of wide\.png.*'dog'"):
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
