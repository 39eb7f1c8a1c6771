"""What a caller left out of a record, read from where its network comes from.

    asked: {"architecture": "timm/convnext_tiny"} ─┐
    weights ───────────────────────────────────────┴─► complete ─► a whole record

A worker does this once, when a version is tried out; the API cannot, for it takes the sources' own
libraries. What was asked stays beside what was read (`ModelRecord.asked`), so that the same file
pushed again is known by it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from models.extensions.describing import describe as describe_own
from models.extensions.loading import EXTENSIONS
from models.huggingface import describing as huggingface_describing
from models.networks import timm_networks, torchvision
from models.onnx_models.examination.facts import Facts
from models.onnx_models.reading import describing as onnx_describing
from models.records.architectures import source_of
from models.records.bounds import check_bounds, within_bounds
from models.records.record import ModelRecord
from models.records.weights_header import tensor_shapes
from models.runtime.missing import named_library
from models.runtime.torch_runtime import unknown

# Parses a stranger's ONNX file behind walls.
Examine = Callable[[bytes], Facts]


@dataclass(frozen=True, slots=True)
class Given:
    """What a record is read from: `asked`, the weights' bytes, and who examines ONNX files."""

    asked: Mapping[str, Any]
    weights: bytes
    examine: Examine


def _read_from_timm(given: Given) -> Mapping[str, Any]:
    return timm_networks.describe(given.asked, tensor_shapes(given.weights))


def _read_from_onnx(given: Given) -> Mapping[str, Any]:
    return onnx_describing.describe(given.asked, given.examine(given.weights))


def _read_from_extension(given: Given) -> Mapping[str, Any]:
    own = EXTENSIONS.find(given.asked["architecture"])
    if own is None:
        raise unknown(given.asked["architecture"], given.asked["name"])
    return describe_own(own, given.asked, tensor_shapes(given.weights))


# By the source's name (models/records/architectures.py): the members that it says by itself.
DESCRIBERS: Mapping[str, Callable[[Given], Mapping[str, Any]]] = {
    "torchvision": lambda given: torchvision.describe(given.asked),
    "timm": _read_from_timm,
    "huggingface": lambda given: huggingface_describing.describe(given.asked),
    "onnx": _read_from_onnx,
    "here": _read_from_extension,
}


def needs_completion(record: Mapping[str, Any]) -> bool:
    """Say whether a stored record still waits for what its source says."""
    if record.get("asked"):
        return False
    architecture = record["architecture"]
    is_own = not record["task"] or EXTENSIONS.find(architecture) is not None
    return source_of(architecture).describes or is_own


def complete(record: Mapping[str, Any], weights: bytes, examine: Examine) -> ModelRecord:
    """Read what a record leaves out; what it says itself stays.

    `record` is a record's plain form of which members may be empty. Raises RecordError or
    WeightsError, saying what has to be given and how, and UnknownArchitecture.
    """
    asked = {name: value for name, value in record.items() if value or name == "name"}
    source = source_of(record["architecture"]).name
    with named_library(source):
        read = DESCRIBERS[source](Given(asked, weights, examine))
    together = {**read, **asked}
    if "max_batch" in read and "max_batch" not in asked:
        together["max_batch"] = within_bounds(read["max_batch"], together["preprocess"])
    for merged in ("options", "metrics", "provenance"):
        together[merged] = {**read.get(merged, {}), **asked.get(merged, {})}
    whole = ModelRecord.from_json({**together, "asked": asked})
    check_bounds(whole)
    return whole
