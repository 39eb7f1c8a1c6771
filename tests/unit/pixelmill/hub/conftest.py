"""A hub on loopback with one small network of each library."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save

from pixelmill.client.hub import pulled, read_reference
from pixelmill.client.registering.pushing import Pushed
from tests.hub_server import FakeHub, fake_hub

Pull = Callable[..., AbstractContextManager[Pushed]]

TIMM = {
    "architecture": "resnet18",
    "num_classes": 2,
    "label_names": ["cat", "dog"],
    "pretrained_cfg": {"input_size": [3, 64, 64], "crop_pct": 1.0, "license": "mit"},
}
CARD = b"---\nlicense: apache-2.0\nauthor: Somebody\n---\n# A model\n"


@pytest.fixture
def weights() -> bytes:
    """Large enough to be sent in several pieces."""
    return save({"w": torch.arange(200_000, dtype=torch.float32)})


@pytest.fixture
def hub(weights: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    # Another test may have imported the library before `pull` could say so, or have it offline.
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with fake_hub() as served:
        served.add(
            "timm/small",
            {
                "config.json": json.dumps(TIMM).encode(),
                "model.safetensors": weights,
                "pytorch_model.bin": b"\x80pickled",
                "README.md": CARD,
            },
        )
        served.add(
            "own/vit",
            {
                "config.json": json.dumps({"model_type": "vit"}).encode(),
                "preprocessor_config.json": b'{"size": 32}',
                "model.safetensors": weights,
            },
        )
        yield served


@pytest.fixture
def pull(hub: FakeHub, tmp_path: Path) -> Pull:
    def pull(source: str, **said: Any) -> AbstractContextManager[Pushed]:
        of = read_reference(source)
        return pulled(of, said, endpoint=hub.url, cache=tmp_path / "cache")

    return pull
