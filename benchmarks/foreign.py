"""Networks of other sources for benchmarks: of each the file that people bring, never trained."""

import io
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import torch
from safetensors.torch import save
from torch import nn

from benchmarks.parity.lively import settle
from models.onnx_models.examination.examining import examine
from models.records.record import ModelRecord
from models.runtime.completion import complete

_SEED = 18
# (C, H, W) of all of them.
_INPUT = (3, 224, 224)

Made = tuple[ModelRecord, bytes]


def made(name: str) -> Made:
    """Give record and weights of one of `NETWORKS`, completed as a worker does it."""
    torch.manual_seed(_SEED)
    asked, weights = NETWORKS[name]()
    return complete({"name": name, **asked}, weights, examine), weights


def _timm(name: str) -> tuple[dict[str, Any], bytes]:
    import timm

    network = _settled(timm.create_model(name, pretrained=False))
    return {"architecture": f"timm/{name}"}, _packed(network)


def _torchvision(name: str) -> tuple[dict[str, Any], bytes]:
    from torchvision.models import get_model

    network = _settled(get_model(name, weights=None))
    return {"architecture": f"torchvision/{name}"}, _packed(network)


def _onnx(name: str) -> tuple[dict[str, Any], bytes]:
    from torchvision.models import get_model

    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _settled(get_model(name, weights=None)).eval(),
            (torch.zeros(1, *_INPUT),),
            file,
            input_names=["images"],
            output_names=["scores"],
            dynamic_axes={"images": {0: "batch"}, "scores": {0: "batch"}},
            dynamo=False,
        )
    labels = [f"class {number}" for number in range(1000)]
    asked = {"architecture": "onnx", "labels": labels, "options": {"scale": "imagenet"}}
    return asked, file.getvalue()


def _huggingface(kind: str, processor: str, **sizes: Any) -> tuple[dict[str, Any], bytes]:
    """Make a classifier of a model type, such as `vit`, of the given sizes."""
    import transformers

    labels = {number: f"class {number}" for number in range(100)}
    config = transformers.AutoConfig.for_model(
        kind, id2label=labels, label2id={label: number for number, label in labels.items()}, **sizes
    )
    config.architectures = []  # from_config() reads them where a type has two classifiers
    network = transformers.AutoModelForImageClassification.from_config(config)
    prepare = getattr(transformers, f"{processor}ImageProcessor")().to_dict()
    options = {"config": config.to_dict(), "processor": prepare}
    options["config"]["architectures"] = [type(network).__name__]
    return {"architecture": f"huggingface/{kind}", "options": options}, _packed(network)


def _settled(network: nn.Module) -> nn.Module:
    """Let features live to the end: where all scores are one, no picture has a class."""
    settle(network.eval(), lambda: network(torch.randn(8, *_INPUT)))
    return network


def _packed(network: nn.Module) -> bytes:
    return save({name: each.contiguous() for name, each in network.state_dict().items()})


_TORCHVISION = (
    "resnet18", "resnet50", "efficientnet_b0", "mobilenet_v3_small", "mobilenet_v3_large",
    "shufflenet_v2_x1_0", "regnet_y_400mf", "squeezenet1_1",
)  # fmt: skip
_TIMM = (
    "resnet18", "efficientnet_b0", "tf_efficientnet_lite0", "mobilenetv3_small_100",
    "convnext_atto", "vit_tiny_patch16_224", "regnety_002", "ghostnet_100",
)  # fmt: skip
_TINY = {"hidden_size": 192, "num_hidden_layers": 12, "num_attention_heads": 3}
_SMALL = {"hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 6}
_RESNET = {"layer_type": "basic", "hidden_sizes": [64, 128, 256, 512], "depths": [2, 2, 2, 2]}
_NARROW = {"hidden_sizes": [40, 80, 160, 320], "depths": [2, 2, 6, 2]}
# Name, model type, processor and sizes: those of the published small ones, about.
_HUGGING_FACE: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("vit-tiny", "vit", "ViT", {**_TINY, "intermediate_size": 768}),
    ("vit-small", "vit", "ViT", {**_SMALL, "intermediate_size": 1536}),
    ("deit-tiny", "deit", "DeiT", {**_TINY, "intermediate_size": 768}),
    ("resnet-18", "resnet", "ConvNext", _RESNET),
    ("convnext-atto", "convnext", "ConvNext", _NARROW),
    ("convnextv2-atto", "convnextv2", "ConvNext", _NARROW),
    ("swin-tiny", "swin", "ViT", {"embed_dim": 48, "depths": [2, 2, 6, 2]}),
    ("beit-tiny", "beit", "Beit", {**_TINY, "intermediate_size": 768}),
)


def _networks() -> Iterator[tuple[str, Callable[[], tuple[dict[str, Any], bytes]]]]:
    for name in _TORCHVISION:
        yield f"torchvision-{name}", partial(_torchvision, name)
        yield f"onnx-{name}", partial(_onnx, name)
    for name in _TIMM:
        yield f"timm-{name}", partial(_timm, name)
    for name, kind, processor, sizes in _HUGGING_FACE:
        yield f"huggingface-{name}", partial(_huggingface, kind, processor, **sizes)


# Eight of each source.
NETWORKS: Mapping[str, Callable[[], tuple[dict[str, Any], bytes]]] = dict(sorted(_networks()))
