"""A network of timm with its record and its file."""

from pathlib import Path

import pytest
import timm
from safetensors.torch import save

from models.records.record import ModelRecord
from models.runtime.completion import complete
from tests.unit.models.proving.asking import LABELS, no_onnx, sure


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
