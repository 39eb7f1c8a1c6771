"""How many classes weights tell apart, held against what is said of them: by a header alone.

Asking a library takes half a minute, and a worker answers after the weights were sent; who named
one class too few is told at once. Only last layers that are known by their names count: where none
is found, nothing is said here.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pixelmill.wire.errors import InvalidInput
from pixelmill.wire.safetensors_stream import Joined, tensor_shapes

# The last layers of timm's and torchvision's classifiers, a training's `model.` or the like before
# them; of a `classifier` in steps the last one.
_LAST = ("classifier", "fc", "head", "head.fc", "heads.head", "last_linear")
_STEP = re.compile(r"classifier\.(\d+)\.weight")
_IN_TORCH = ("timm/", "torchvision/")
_FEATURES = "-embedding"
# Those of transformers' networks for classes of pictures.
_CLASSIFIER = re.compile(r"(cls_classifier|classifier(\.1)?)\.weight")
_OF_CLASSES = "ForImageClassification"
# What transformers takes where a config names no classes.
_UNNAMED = 2


def check_classes(source: Path, weights: Path | Joined, record: Mapping[str, Any]) -> None:
    """Refuse weights of another number of classes than is said; raises InvalidInput."""
    architecture = str(record.get("architecture") or "")
    if architecture.startswith("huggingface/") and source.is_dir():
        _check_folder(source, weights, record)
    elif architecture.startswith(_IN_TORCH) and not architecture.endswith(_FEATURES):
        _check_labels(source, weights, record.get("labels"))


def _check_labels(source: Path, weights: Path | Joined, labels: Any) -> None:
    last = _last_layer(tensor_shapes(weights))
    if not isinstance(labels, list) or last is None or last[1][0] == len(labels):
        return
    name, shape = last
    raise InvalidInput(
        f"There are {len(labels)} labels, and {source} tells {shape[0]} classes apart "
        f"({name} is {shape}): give one name a class, in the network's order."
    )


def _last_layer(shapes: Mapping[str, tuple[int, ...]]) -> tuple[str, tuple[int, ...]] | None:
    """Give the layer that answers, and its shape; None where it is not known by its name."""
    steps = [(int(step[1]), name) for name in shapes if (step := _STEP.fullmatch(name))]
    found = [f"{each}.weight" for each in _LAST if f"{each}.weight" in shapes]
    found += [max(steps)[1]] if steps else []
    if len(found) != 1 or len(shapes[found[0]]) not in (2, 4):
        return None
    return found[0], shapes[found[0]]


def _check_folder(source: Path, weights: Path | Joined, record: Mapping[str, Any]) -> None:
    config = record.get("options", {}).get("config", {})
    named = config.get("architectures")
    is_classifier = isinstance(named, list) and named and str(named[0]).endswith(_OF_CLASSES)
    if not is_classifier or record.get("task") not in (None, "classification"):
        return
    shapes = tensor_shapes(weights)
    last = [name for name in shapes if _CLASSIFIER.fullmatch(name) and len(shapes[name]) == 2]
    if not last:
        return
    names, classes = config.get("id2label"), shapes[last[0]][0]
    is_named = isinstance(names, dict) and names
    count = len(names) if is_named else config.get("num_labels", _UNNAMED)
    if count == classes:
        return
    says = (
        f"names {count} labels (id2label)" if is_named else f"names no labels (taken for {count})"
    )
    raise InvalidInput(
        f"{source / 'config.json'} {says}, and {source / 'model.safetensors'} tells {classes} "
        f"classes apart ({last[0]} is {shapes[last[0]]}): have id2label and label2id name all, in "
        "the network's order."
    )
