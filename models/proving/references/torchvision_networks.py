"""torchvision's own inference: the published `transforms()` on a uint8 tensor, and its network."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn
from torchvision import models as tv
from torchvision.transforms.functional import pil_to_tensor

from models.checkpoints.prefixes import without_prefix
from models.proving.references import answers
from models.records.torchvision_names import CLASSIFIERS

_FEATURES = "-embedding"
# Both were published with inputs scaled anew inside the network.
_SCALED = ("googlenet", "inception_v3")
# `overwrite_eps` of torchvision's own loading.
_WITHOUT_EPS = ("fasterrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn", "retinanet_resnet50_fpn")


def reference(
    architecture: str, weights: Path, classes: int | None = None
) -> Callable[[Image.Image], list[dict[str, Any]]]:
    """Give what answers for `torchvision/NAME` or `torchvision/NAME-embedding`.

    `classes` is how many the weights tell apart, where that is not the published number.
    """
    plain = architecture.removeprefix("torchvision/")
    name = plain.removesuffix(_FEATURES)
    tensors = load_file(weights)
    published = tv.get_model_weights(name)["DEFAULT"]
    prepare = published.transforms()
    network = _built(name, classes or len(published.meta["categories"]), tensors)
    if name != plain:
        return _features(network, prepare)

    @torch.inference_mode()
    def answer(picture: Image.Image) -> list[dict[str, Any]]:
        pixels = pil_to_tensor(picture)
        output: Any = network(prepare(pixels)[None])
        if isinstance(output, list):
            return answers.objects(output[0])
        if isinstance(output, torch.Tensor):
            return answers.classes(output[0])
        # As torchvision's own segmentation reference: logits at the picture's size.
        scores = nn.functional.interpolate(
            output["out"], size=pixels.shape[-2:], mode="bilinear", align_corners=False
        )
        return answers.layers(scores[0].argmax(0).numpy())

    return answer


def _built(name: str, classes: int, tensors: dict[str, torch.Tensor]) -> nn.Module:
    """Build the network as torchvision does for published weights, and load these."""
    options: dict[str, Any] = {}
    if name in _SCALED:
        options = {"transform_input": True, "aux_logits": False, "init_weights": False}
    elif name not in CLASSIFIERS:
        options = {"weights_backbone": None}
    if any(each.startswith("aux_classifier") for each in tensors):
        options["aux_loss"] = True
    network: nn.Module = tv.get_model_builder(name)(weights=None, num_classes=classes, **options)
    if name in _WITHOUT_EPS:
        for part in network.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.eps = 0.0
    network.load_state_dict(without_prefix(tensors, network.state_dict()))
    return network.eval()


def _features(
    network: nn.Module, prepare: Callable[..., Any]
) -> Callable[[Image.Image], list[dict[str, Any]]]:
    """Answer with what the last layer is given."""
    last = [each for each in network.modules() if isinstance(each, nn.Linear | nn.Conv2d)][-1]
    seen: list[torch.Tensor] = []
    last.register_forward_pre_hook(lambda _, given: seen.append(given[0]))

    @torch.inference_mode()
    def answer(picture: Image.Image) -> list[dict[str, Any]]:
        seen.clear()
        network(prepare(pil_to_tensor(picture))[None])
        return answers.vector(seen[0].flatten(1)[0])

    return answer
