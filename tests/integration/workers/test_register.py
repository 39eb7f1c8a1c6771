"""Registration takes networks of every task, with weights from a file, and tries them first."""

import dataclasses
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from torchvision import models as tv

from jobs.base.bootstrap import Ground
from models.catalog import ModelRecord
from models.networks.torchvision import record_of_file
from models.records.errors import UnknownArchitecture, WeightsError
from models.runtime.registry import load
from workers.register import register_shipped, register_torchvision


def weights_file(folder: Path, name: str) -> Path:
    """Save the state dict of a network of torchvision with random weights."""
    heads = {} if name == "resnet18" else {"weights_backbone": None}
    path = folder / f"{name}.pth"
    torch.save(tv.get_model(name, weights=None, **heads).state_dict(), path)
    return path


@pytest.mark.parametrize(
    ("name", "theirs", "task"),
    [
        (
            "torchvision/ssdlite320_mobilenet_v3_large",
            "ssdlite320_mobilenet_v3_large",
            "detection",
        ),
        ("torchvision/lraspp_mobilenet_v3_large", "lraspp_mobilenet_v3_large", "segmentation"),
        ("torchvision/resnet18-embedding", "resnet18", "embedding"),
    ],
)
def test_a_network_of_each_task_is_registered_and_can_be_loaded_again(
    ground: Ground, tmp_path: Path, name: str, theirs: str, task: str
) -> None:
    version = register_torchvision(ground, name, weights_file(tmp_path, theirs))
    record = ModelRecord.from_json(version.record)
    assert (version.name, record.task) == (name, task)
    load(record, ground.storage.get(version.weights), version.digest)


def test_weights_of_ones_own_bear_no_published_name_or_figure(
    ground: Ground, tmp_path: Path
) -> None:
    path = weights_file(tmp_path, "resnet18")
    record = ModelRecord.from_json(
        register_torchvision(ground, "torchvision/resnet18", path).record
    )
    assert not [name for name in record.metrics if name.startswith("published")]
    assert "IMAGENET" not in record.description
    assert "published" not in record.description
    digest = sha256(path.read_bytes()).hexdigest()
    assert f"weights of resnet18.pth, sha256 {digest}" in record.description


def test_a_file_that_torchvision_has_published_is_known_by_its_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.pth"
    path.write_bytes(b"what torchvision has published")
    digest = sha256(path.read_bytes()).hexdigest()
    first = tv.get_model_weights("resnet50")["IMAGENET1K_V1"]
    url = f"https://x.org/resnet50-{digest[:8]}.pth"
    monkeypatch.setattr(first, "_value_", dataclasses.replace(first.value, url=url))
    record = record_of_file("torchvision/resnet50", path)
    assert "published weights IMAGENET1K_V1" in record.description
    assert record.preprocess["resize"] == 256
    assert record.metrics["published_acc@1"] > 76


def test_weights_of_another_network_and_unknown_names_are_refused(
    ground: Ground, tmp_path: Path
) -> None:
    path = weights_file(tmp_path, "lraspp_mobilenet_v3_large")
    with pytest.raises(WeightsError, match="do not fit"):
        register_torchvision(ground, "torchvision/ssdlite320_mobilenet_v3_large", path)
    with pytest.raises(UnknownArchitecture, match="detection"):
        register_torchvision(ground, "torchvision/keypointrcnn_resnet50_fpn", path)


def test_all_that_is_shipped_is_registered_once(ground: Ground) -> None:
    names = [version.name for version in register_shipped(ground)]
    assert names == ["digits", "scenes-detector", "scenes-segmenter", "motion", "imagenet"]
    assert [version.version for version in register_shipped(ground)] == [1] * 5
