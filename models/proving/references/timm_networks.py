"""timm's own evaluation: `create_transform` on a Pillow picture, and the network as built by it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from PIL import Image
from safetensors.torch import load_file

from models.checkpoints.prefixes import names_ending, without_prefix
from models.proving.references import answers

_FEATURES = "-embedding"


def reference(architecture: str, weights: Path) -> Callable[[Image.Image], list[dict[str, Any]]]:
    """Give what answers for `timm/NAME` or `timm/NAME-embedding`."""
    import timm
    from timm.data.config import resolve_model_data_config
    from timm.data.transforms_factory import create_transform

    plain = architecture.removeprefix("timm/")
    name = plain.removesuffix(_FEATURES)
    tensors = load_file(weights)
    published: Any = timm.get_pretrained_cfg(name)
    if published is None:
        raise ValueError(f"it publishes no settings for {name}")
    last = published.classifier
    last = last[0] if isinstance(last, tuple | list) else last
    found = names_ending(tensors, f"{last}.weight")
    classes = len(tensors[found[0]]) if found else 0
    channels = 1 if _is_grey(tensors, published.first_conv) else 3
    network: Any = timm.create_model(
        name, pretrained=False, num_classes=classes, in_chans=channels
    ).eval()
    network.load_state_dict(without_prefix(tensors, network.state_dict()))
    settings: Any = resolve_model_data_config(network)  # type: ignore[no-untyped-call]  # timm's
    if channels == 1:
        # timm's own way to averages (`adapt_to_chs`), which its transform does not take itself.
        settings |= {name: (fmean(settings[name]),) for name in ("mean", "std")}
        settings["input_size"] = (1, *settings["input_size"][1:])
    prepare: Any = create_transform(**settings)

    @torch.inference_mode()
    def answer(picture: Image.Image) -> list[dict[str, Any]]:
        inputs = prepare(picture.convert("L") if channels == 1 else picture)[None]
        if name == plain:
            return answers.classes(network(inputs)[0])
        features = network.forward_features(inputs)
        return answers.vector(network.forward_head(features, pre_logits=True)[0])

    return answer


def _is_grey(tensors: Mapping[str, torch.Tensor], first: str | Sequence[str] | None) -> bool:
    """Say whether the first convolution takes one channel."""
    names = [first] if isinstance(first, str) else list(first or ())
    found = [key for name in names for key in names_ending(tensors, f"{name}.weight")]
    shapes = [tensors[key].shape for key in found]
    return any(len(shape) == 4 and shape[1] == 1 for shape in shapes)
