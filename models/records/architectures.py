"""Where architectures come from, and what a version of each kind brings along.

    digits, scenes-detector, …    our own             safetensors, and a record
    torchvision/resnet50          torchvision's       safetensors; the record is what was published
    timm/convnext_tiny            timm's              safetensors; the record is read from timm
    huggingface/vit               transformers'       safetensors; its config.json says the rest
    onnx                          any, in the file    an ONNX file, which says the rest

What a source says by itself a caller may leave out: a worker reads it when the version is tried
out, and completes the record (models/runtime/completion.py). Needs neither torch nor the sources'
own libraries: the API asks here what it may leave to a worker. A new source is one line here, and
one in each table of models/runtime.
"""

from dataclasses import dataclass
from typing import Final, Literal

from models.records.torchvision_names import TORCHVISION_PREFIX

ONNX: Final = "onnx"
TIMM_PREFIX: Final = "timm/"
HUGGING_FACE_PREFIX: Final = "huggingface/"

WeightsKind = Literal["safetensors", "onnx"]


@dataclass(frozen=True, slots=True)
class Source:
    """A source of architectures.

    weights: what its files are. describes: whether it says what a record leaves out; then task,
    labels and preprocessing may be missing until a worker has read them. is_listed: whether all its
    architectures are known without its library (models.catalog.ARCHITECTURE_TASKS).
    """

    name: str
    weights: WeightsKind = "safetensors"
    describes: bool = False
    is_listed: bool = False


# Our own, and those of an operator's modules, which describe themselves to workers alone.
HERE: Final = Source("here", is_listed=True)
_SOURCES: tuple[tuple[str, Source], ...] = (
    (TORCHVISION_PREFIX, Source("torchvision", describes=True, is_listed=True)),
    (TIMM_PREFIX, Source("timm", describes=True)),
    (HUGGING_FACE_PREFIX, Source("huggingface", describes=True)),
)


def source_of(architecture: str) -> Source:
    """Say where an architecture comes from; one that no other source has is ours."""
    if architecture == ONNX:
        return Source("onnx", weights="onnx", describes=True)
    for prefix, source in _SOURCES:
        if architecture.startswith(prefix):
            return source
    return HERE
