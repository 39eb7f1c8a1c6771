"""Modules of an operator's own, made for a test: in sys.modules, and gone with it."""

import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from models.extensions import Sample
from models.extensions.loading import EXTENSIONS

NewModule = Callable[[str, Mapping[Any, Any]], str]
SIDE = 8


class Means(nn.Module):
    """A linear layer over the mean of each channel: (B, channels, h, w) to (B, labels)."""

    def __init__(self, labels: int, channels: int = 3) -> None:
        super().__init__()
        self.judge = nn.Linear(channels, labels)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.judge(pictures.mean((2, 3)))


def prepare(_record: Any, picture: Any) -> Sample:
    """Give the upper left, padded with black: uint8 (channels, 8, 8)."""
    pixels = torch.zeros(picture.pixels.shape[2], SIDE, SIDE, dtype=torch.uint8)
    part = torch.from_numpy(picture.pixels[:SIDE, :SIDE].copy()).permute(2, 0, 1)
    pixels[:, : part.shape[1], : part.shape[2]] = part
    return Sample(pixels, picture.height, picture.width)


def classes(record: Any, row: torch.Tensor, _seen: Any, _params: Any) -> list[dict[str, Any]]:
    """Give a prediction for every label."""
    return [
        {"class": record.labels[number], "class_id": number, "confidence": chance}
        for number, chance in enumerate(row.softmax(0).tolist())
    ]


def boxes(record: Any, row: torch.Tensor, seen: Any, _params: Any) -> list[dict[str, Any]]:
    """Give a box around the upper left quarter of the sample for every label."""
    height, width = seen.sample
    corners = torch.tensor([[0.0, 0.0, width / 2, height / 2]])
    x, y, right, bottom = seen.in_original(corners)[0].tolist()
    box = {"x": x, "y": y, "width": right - x, "height": bottom - y}
    return [{**each, "box": box} for each in classes(record, row, seen, _params)]


@pytest.fixture
def new_module(monkeypatch: pytest.MonkeyPatch) -> NewModule:
    """Make modules with these ARCHITECTURES; what is loaded of them is forgotten afterwards."""
    monkeypatch.setattr(EXTENSIONS, "_found", {})
    monkeypatch.setattr(EXTENSIONS, "refused", {})

    def make(name: str, architectures: Mapping[Any, Any]) -> str:
        module = ModuleType(name)
        module.ARCHITECTURES = architectures  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, name, module)
        return name

    return make
