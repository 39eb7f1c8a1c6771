"""Networks of several sources with about 10 MB of weights each, and their records."""

import io
from collections.abc import Callable

import timm
import torch

from models.onnx_models.examination.examining import examine
from models.records.record import ModelRecord
from models.runtime import weights as weights_file
from models.runtime.completion import complete
from models.runtime.torch_runtime import build

RECORD = ModelRecord(
    "model",
    "classification",
    "torchvision/mobilenet_v3_small",
    tuple(map(str, range(1000))),
    {"resize": 64, "crop": 64, "channels": 3, "mean": [0.0] * 3, "std": [1.0] * 3},
)


def of_torchvision() -> tuple[ModelRecord, bytes]:
    return RECORD, weights_file.write(build(RECORD).state_dict())


def of_timm() -> tuple[ModelRecord, bytes]:
    network = timm.create_model("mobilenetv3_small_100", pretrained=False)
    # Small pictures, so that it is weights that take the memory.
    asked = {
        "name": "model",
        "architecture": "timm/mobilenetv3_small_100",
        "preprocess": RECORD.preprocess,
    }
    weights = weights_file.write(network.state_dict())
    return complete(asked, weights, examine), weights


def of_onnx() -> tuple[ModelRecord, bytes]:
    data, axes = io.BytesIO(), {"x": {0: "n"}, "y": {0: "n"}}
    network, example = build(RECORD).eval(), torch.zeros(1, 3, 64, 64)
    names = {"input_names": ["x"], "output_names": ["y"], "dynamic_axes": axes}
    torch.onnx.export(network, (example,), data, dynamo=False, **names)
    asked = {
        "name": "model",
        "architecture": "onnx",
        "labels": list(RECORD.labels),
        "options": {"scale": "unit"},
    }
    return complete(asked, data.getvalue(), examine), data.getvalue()


SOURCES: dict[str, Callable[[], tuple[ModelRecord, bytes]]] = {
    "torchvision": of_torchvision,
    "timm": of_timm,
    "onnx": of_onnx,
}
