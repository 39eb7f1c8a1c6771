"""Files of other sources that tests make: small networks with weights of no training."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import timm
import torch
import transformers
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file

SIDE, STRIDES = 64, (8, 16, 32)


def yolo_onnx(labels: Sequence[str]) -> bytes:
    """Give a detector with the outputs and metadata of an Ultralytics export, for 64 x 64 pixels.

    One convolution for each of its three grids; where a picture is bright there are objects.
    """
    rows = 4 + len(labels)
    chance = np.random.default_rng(0)
    nodes, constants, parts = [], [], []
    for stride in STRIDES:
        weights = chance.normal(0, 0.05, (rows, 3, stride, stride)).astype(np.float32)
        constants.append(numpy_helper.from_array(weights, f"weights{stride}"))
        cells = (SIDE // stride) ** 2
        constants.append(numpy_helper.from_array(np.array([1, rows, cells]), f"shape{stride}"))
        nodes += [
            helper.make_node(
                "Conv", ["images", f"weights{stride}"], [f"grid{stride}"], strides=[stride] * 2
            ),
            helper.make_node("Reshape", [f"grid{stride}", f"shape{stride}"], [f"flat{stride}"]),
        ]
        parts.append(f"flat{stride}")
    scale = np.array([[[SIDE], [SIDE], [SIDE / 2], [SIDE / 2], *[[1]] * len(labels)]], np.float32)
    constants.append(numpy_helper.from_array(scale, "scale"))
    nodes += [
        helper.make_node("Concat", parts, ["all"], axis=2),
        helper.make_node("Sigmoid", ["all"], ["shares"]),
        helper.make_node("Mul", ["shares", "scale"], ["output0"]),
    ]
    cells = sum((SIDE // stride) ** 2 for stride in STRIDES)
    graph = helper.make_graph(
        nodes,
        "detector",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, rows, cells])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    told = {
        "names": str(dict(enumerate(labels))),
        "task": "detect",
        "imgsz": f"[{SIDE}, {SIDE}]",
        "stride": "32",
    }
    helper.set_model_props(model, told)
    return bytes(onnx.ModelProto.SerializeToString(model))


def save_timm(path: Path, name: str, classes: int) -> None:
    """Write a network of timm as safetensors."""
    network = timm.create_model(name, pretrained=False, num_classes=classes)
    save_file({key: each.contiguous() for key, each in network.state_dict().items()}, path)


def save_vit(folder: Path, labels: Sequence[str] = ("cat", "dog")) -> None:
    """Write a tiny vision transformer as a Hugging Face folder."""
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        image_size=64,
        patch_size=16,
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
    )
    transformers.ViTForImageClassification(config).save_pretrained(folder)
    transformers.ViTImageProcessor(size={"height": 64, "width": 64}).save_pretrained(folder)
