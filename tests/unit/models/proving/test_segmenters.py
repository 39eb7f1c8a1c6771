"""Segmenters: what no class covers, and where nothing is found."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors.torch import save

from models.media.pictures import decode
from models.proving.__main__ import check as ask
from models.proving.check import Check
from models.proving.proof import prove
from models.runtime.completion import complete
from models.runtime.registry import load
from tests.unit.models.proving.asking import LABELS, no_onnx, sure


def segmenter_of_torchvision(folder: Path, name: str) -> tuple[dict[str, Any], bytes, Path]:
    network = torchvision.models.get_model(
        name, weights=None, num_classes=5, weights_backbone=None
    ).eval()
    sure(network, 1.6)
    weights = save({key: each.contiguous() for key, each in network.state_dict().items()})
    path = folder / "weights.safetensors"
    path.write_bytes(weights)
    return {"name": "cats", "architecture": f"torchvision/{name}"}, weights, path


@pytest.mark.parametrize(
    "name", ["lraspp_mobilenet_v3_large", pytest.param("fcn_resnet50", marks=pytest.mark.deep)]
)
def test_what_no_class_covers_is_no_difference(tmp_path: Path, name: str) -> None:
    said, weights, path = segmenter_of_torchvision(tmp_path, name)
    labels = [*LABELS[:2], "__background__", *LABELS[3:]]
    record = complete({**said, "labels": labels}, weights, no_onnx)
    asked = {"architecture": record.architecture, "weights": str(path), "classes": 5}
    given = ask(asked)
    told = {each["class_id"] for sample in given["samples"] for each in sample["predictions"]}
    assert 2 in told
    assert len(told) > 1
    check = Check.model_validate(given)
    proof = prove(load(record, weights), check, decode, lambda work: work())
    assert proof.holds, proof.refusal()


def test_where_nobody_finds_anything_nothing_is_proven(tmp_path: Path) -> None:
    said, weights, path = segmenter_of_torchvision(tmp_path, "lraspp_mobilenet_v3_large")
    labels = ["background", *LABELS[1:]]
    record = complete({**said, "labels": labels}, weights, no_onnx)
    given = ask({"architecture": record.architecture, "weights": str(path), "classes": 5})
    network = load(record, weights)
    network.module = Nothing()
    for sample in given["samples"]:
        sample["predictions"] = []
    proof = prove(network, Check.model_validate(given), decode, lambda work: work())
    assert not proof.holds
    assert not proof.apart
    assert not proof.worst


class Nothing(torch.nn.Module):
    """A segmenter that sees background alone."""

    def forward(self, pictures: torch.Tensor) -> Any:
        scores = torch.zeros(len(pictures), 5, *pictures.shape[-2:])
        scores[:, 0] = 9.0
        return {"out": scores}
