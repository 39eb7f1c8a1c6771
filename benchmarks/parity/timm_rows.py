"""timm's networks against timm: its preparation of a Pillow image and its own forward."""

from collections.abc import Iterator
from typing import Any

import torch
from PIL import Image
from safetensors.torch import save
from torch import nn

from benchmarks.parity.compared import (
    CONFIDENCE,
    COSINE,
    SHAPES,
    Row,
    another,
    compared,
    pictures,
    png,
    refused,
)
from benchmarks.parity.lively import settle, spread, wake
from models.records.errors import ModelError
from models.runtime.completion import complete
from models.runtime.registry import load

# Among a thousand classes, a chance is one only where logits are far apart.
_SPREAD = 6.0
# One or two of each family that is lively.
NAMES = (
    "tf_efficientnet_lite0", "efficientnet_b0", "resnet18", "resnetv2_50", "resnext50_32x4d",
    "seresnet18", "convnext_atto", "convnextv2_atto", "vit_tiny_patch16_224",
    "vit_small_patch14_dinov2", "deit_tiny_distilled_patch16_224", "swin_tiny_patch4_window7_224",
    "swinv2_cr_tiny_ns_224", "mobilenetv3_small_100", "mobilenetv4_conv_small", "mobilevit_xxs",
    "edgenext_xx_small", "regnety_002", "densenet121", "ghostnet_100", "mixer_s32_224",
    "poolformer_s12", "efficientformer_l1", "repvgg_a0", "fastvit_t8", "eva02_tiny_patch14_224",
    "maxvit_rmlp_pico_rw_256", "levit_128s", "xcit_nano_12_p16_224", "hrnet_w18_small",
)  # fmt: skip


def rows() -> Iterator[Row]:
    """Compare one network after the other, with weights of no training."""
    import timm

    for name in NAMES:
        torch.manual_seed(7)
        if not timm.is_model(name):
            print(f"{name} is none of this version of timm, and is left out")
            continue
        yield from _rows_of(name, timm.create_model(name, pretrained=False).eval())


@torch.inference_mode()
def _rows_of(name: str, theirs: Any) -> Iterator[Row]:
    from timm.data import create_transform, resolve_model_data_config

    prepare = create_transform(**resolve_model_data_config(theirs))
    seen = [*pictures(), another(SHAPES[0])]
    inputs = torch.stack([prepare(Image.fromarray(each)) for each in seen])
    is_classifier = theirs.num_classes > 0
    wake(theirs)
    settle(theirs, lambda: theirs(inputs))
    if is_classifier:
        spread(_classifiers(theirs), lambda: theirs(inputs), _SPREAD)
    weights = save({key: each.contiguous() for key, each in theirs.state_dict().items()})
    architecture = f"timm/{name}" if is_classifier else f"timm/{name}-embedding"
    task = "classification" if is_classifier else "embedding"
    try:
        asked = {"name": name, "architecture": architecture}
        network: Any = load(complete(asked, weights, _no_onnx), weights)
    except ModelError as err:
        yield refused("timm", name, task, err)
        return
    expected = [_answer(theirs, each[None]) for each in inputs]
    found = network.forward([network.prepare(png(each)) for each in seen])
    ours = found.softmax(1) if is_classifier else found
    measure = CONFIDENCE if is_classifier else COSINE
    two = expected[0], expected[-1]
    yield from compared("timm", name, task, [measure], list(zip(ours, expected, strict=True)), two)


def _answer(theirs: Any, inputs: torch.Tensor) -> torch.Tensor:
    if theirs.num_classes > 0:
        chances: torch.Tensor = theirs(inputs).softmax(1)[0]
        return chances
    features: torch.Tensor = theirs.forward_head(theirs.forward_features(inputs), pre_logits=True)
    return features[0]


def _classifiers(theirs: Any) -> list[nn.Linear | nn.Conv2d]:
    last = theirs.get_classifier()
    parts = last if isinstance(last, tuple) else [last]
    return [
        each for part in parts for each in part.modules() if isinstance(each, nn.Linear | nn.Conv2d)
    ]


def _no_onnx(_: bytes) -> Any:
    raise AssertionError("these are no ONNX files")
