"""Networks of other sources for benchmarks: of each the file that people bring, never trained."""

import io
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from safetensors.torch import save
from torch import nn

from models.onnx_models.examination.examining import examine
from models.records.record import ModelRecord
from models.runtime.completion import complete

_SEED = 18

Made = tuple[ModelRecord, bytes]


def made(name: str) -> Made:
    """Give record and weights of one of `NETWORKS`, completed as a worker does it."""
    torch.manual_seed(_SEED)
    asked, weights = NETWORKS[name]()
    return complete({"name": name, **asked}, weights, examine), weights


def _timm(name: str) -> tuple[dict[str, Any], bytes]:
    import timm

    network = timm.create_model(name, pretrained=False)
    return {"architecture": f"timm/{name}"}, _packed(network)


def _torchvision(name: str) -> tuple[dict[str, Any], bytes]:
    from torchvision.models import get_model

    return {"architecture": f"torchvision/{name}"}, _packed(get_model(name, weights=None))


def _onnx(name: str) -> tuple[dict[str, Any], bytes]:
    from torchvision.models import get_model

    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            get_model(name, weights=None).eval(),
            (torch.zeros(1, 3, 224, 224),),
            file,
            input_names=["images"],
            output_names=["scores"],
            dynamic_axes={"images": {0: "batch"}, "scores": {0: "batch"}},
            dynamo=False,
        )
    labels = [f"class {number}" for number in range(1000)]
    asked = {"architecture": "onnx", "labels": labels, "options": {"scale": "imagenet"}}
    return asked, file.getvalue()


def _vit(hidden: int, layers: int) -> tuple[dict[str, Any], bytes]:
    import transformers

    config = transformers.ViTConfig(
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 64,
        intermediate_size=4 * hidden,
        id2label={number: f"class {number}" for number in range(100)},
        label2id={f"class {number}": number for number in range(100)},
    )
    network = transformers.ViTForImageClassification(config)
    processor = transformers.ViTImageProcessor().to_dict()
    options = {"config": config.to_dict(), "processor": processor}
    options["config"]["architectures"] = ["ViTForImageClassification"]
    return {"architecture": "huggingface/vit", "options": options}, _packed(network)


def _packed(network: nn.Module) -> bytes:
    return save({name: each.contiguous() for name, each in network.state_dict().items()})


NETWORKS: Mapping[str, Callable[[], tuple[dict[str, Any], bytes]]] = {
    "torchvision-resnet18": lambda: _torchvision("resnet18"),
    "torchvision-efficientnet_b0": lambda: _torchvision("efficientnet_b0"),
    "timm-tf_efficientnet_lite0": lambda: _timm("tf_efficientnet_lite0"),
    "timm-convnext_atto": lambda: _timm("convnext_atto"),
    "huggingface-vit-tiny": lambda: _vit(192, 12),
    "huggingface-vit-small": lambda: _vit(384, 12),
    "onnx-mobilenet_v3_small": lambda: _onnx("mobilenet_v3_small"),
    "onnx-resnet18": lambda: _onnx("resnet18"),
}
