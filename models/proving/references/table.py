"""The references by the name of their source (models/records/architectures.py)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from models.proving.references import hugging_face, timm_networks, torchvision_networks

Predictions = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a reference is made for.

    architecture: such as `timm/convnext_tiny`. weights: the safetensors file. folder: that of a
    Hugging Face model. classes: how many labels the caller gave, None where none.
    """

    architecture: str
    weights: Path
    folder: Path | None = None
    classes: int | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """libraries: whose code answers. make: gives what turns an RGB picture into predictions."""

    libraries: tuple[str, ...]
    make: Callable[[Asked], Callable[[Image.Image], Predictions]]


def _of_folder(asked: Asked) -> Callable[[Image.Image], Predictions]:
    assert asked.folder is not None
    return hugging_face.reference(asked.folder)


REFERENCES: Mapping[str, Reference] = {
    "timm": Reference(
        ("timm", "torch"), lambda asked: timm_networks.reference(asked.architecture, asked.weights)
    ),
    "torchvision": Reference(
        ("torchvision", "torch"),
        lambda asked: torchvision_networks.reference(
            asked.architecture, asked.weights, asked.classes
        ),
    ),
    "huggingface": Reference(("transformers", "torch"), _of_folder),
}
