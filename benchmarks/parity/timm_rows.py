"""timm's networks against timm: its preparation of a Pillow image and its own forward."""

from collections.abc import Iterator
from typing import Any

import torch
from PIL import Image
from safetensors.torch import save

from benchmarks.parity.compared import (
    LEAST_COSINE,
    MOST_CONFIDENCE,
    Row,
    confidence_apart,
    pictures,
)
from models.records.errors import ModelError
from models.runtime.completion import complete
from models.runtime.registry import load

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
        try:
            theirs = timm.create_model(name, pretrained=False).eval()
        except RuntimeError:  # another version of timm
            continue
        yield _compared(name, theirs)


@torch.inference_mode()
def _compared(name: str, theirs: Any) -> Row:
    from timm.data import create_transform, resolve_model_data_config

    weights = save({key: each.contiguous() for key, each in theirs.state_dict().items()})
    is_classifier = theirs.num_classes > 0
    architecture = f"timm/{name}" if is_classifier else f"timm/{name}-embedding"
    task = "classification" if is_classifier else "embedding"
    try:
        asked = {"name": name, "architecture": architecture}
        network: Any = load(complete(asked, weights, _no_onnx), weights)
    except ModelError as err:
        print(f"{name} is refused: {err}")
        return Row("timm", name, task, "refused", 1.0, 0.0)
    prepare = create_transform(**resolve_model_data_config(theirs))
    worst = []
    for pixels, data in pictures():
        inputs = prepare(Image.fromarray(pixels))[None]
        found = network.forward([network.prepare(data)])
        if is_classifier:
            worst.append(confidence_apart(found, theirs(inputs)))
        else:
            expected = theirs.forward_head(theirs.forward_features(inputs), pre_logits=True)
            worst.append(torch.cosine_similarity(found, expected).item())
    if is_classifier:
        return Row("timm", name, task, "confidence", max(worst), MOST_CONFIDENCE)
    return Row("timm", name, task, "cosine", min(worst), LEAST_COSINE)


def _no_onnx(_: bytes) -> Any:
    raise AssertionError("these are no ONNX files")
