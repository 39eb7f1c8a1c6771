"""Networks that react to pictures, and what their own libraries answer."""

from pathlib import Path
from typing import Any

import torch

from models.media.pictures import decode
from models.proving.__main__ import check as ask
from models.proving.check import Check
from models.proving.proof import Proof, prove
from models.records.record import ModelRecord
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


def of_timm(path: Path, architecture: str = "timm/test_resnet") -> dict[str, Any]:
    return {"architecture": architecture, "weights": str(path)}
