"""timm's networks: all its classifiers, and the features before their answers.

    timm/convnext_tiny.fb_in1k              its classes
    timm/convnext_tiny.fb_in1k-embedding    the vector that its last layer would judge

What timm publishes with a name (`pretrained_cfg`) says how pictures are brought to size: by Pillow,
as its own evaluation does. Weights for grey pictures are known by their first layer, and normalised
by the average of the published mean and deviation, as timm's loader has it (timm.data.loader,
`adapt_to_chs`). Nothing is downloaded: weights are the caller's.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from statistics import fmean
from typing import Any

import torch
from torch import nn

from models.checkpoints.prefixes import names_ending
from models.records.architectures import TIMM_PREFIX
from models.records.errors import RecordError, UnknownArchitecture
from models.records.labels import check_no_labels
from models.records.record import ModelRecord
from models.records.torchvision_names import EMBEDDING_SUFFIX

# Seconds of a core for a parameter, about: shards of three seconds are cut by it.
_SHARD_S, _FIXED_S, _S_A_PARAMETER = 3.0, 0.010, 2.0e-9
_BATCH = 32
# What a network may be built with that is not its usual, as timm's own files tell it.
_ARGUMENTS = ("global_pool", "img_size")
# Ways that our preprocessing has too.
_INTERPOLATIONS = ("bilinear", "bicubic", "nearest", "lanczos")


def build(record: ModelRecord) -> nn.Module:
    """Build the record's network without weights; raises UnknownArchitecture and RecordError."""
    import timm

    name, gives_features = _theirs(record.architecture)
    more = {each: record.options[each] for each in _ARGUMENTS if each in record.options}
    try:
        network: nn.Module = timm.create_model(
            name,
            pretrained=False,
            num_classes=int(record.options.get("num_classes", len(record.labels))),
            in_chans=int(record.preprocess["channels"]),
            **more,
        )
    except (TypeError, ValueError, AssertionError, LookupError, AttributeError) as err:
        if not more:
            raise
        raise RecordError(
            f"timm cannot build {name!r} with {', '.join(f'{k}={v!r}' for k, v in more.items())} "
            "(options): leave them out, or give others."
        ) from err
    if gives_features:
        # The network keeps its last layer, so that the weights fit as they were published.
        network.forward = partial(_features, network)
    return network


def describe(asked: Mapping[str, Any], shapes: Mapping[str, Sequence[int]]) -> Mapping[str, Any]:
    """Give the members of a record that timm and the weights know.

    `shapes` are those of the weights' tensors. Raises UnknownArchitecture, and RecordError when the
    labels have to be given, or timm's preparation of pictures is one that we do not have.
    """
    name, gives_features = _theirs(asked["architecture"])
    _check_options(asked.get("options") or {})
    published = _published(name)
    classes = _classes(published, shapes)
    if gives_features:
        check_no_labels(asked.get("labels"), asked["architecture"])
        labels = ["embedding"]
    else:
        labels = _checked_labels(asked, classes, _last_layer(published), shapes)
    parameters = sum(math.prod(shape) for shape in shapes.values())
    return {
        "task": "embedding" if gives_features else "classification",
        "labels": labels,
        "preprocess": asked.get("preprocess") or _preprocess(published, name, shapes),
        "options": {"num_classes": classes},
        "max_batch": _BATCH,
        "shard_items": _shard_items(parameters),
        "metrics": {"parameters": parameters},
        "description": f"{asked['architecture']} of timm, with weights of the caller's own.",
    }


def _check_options(options: Mapping[str, Any]) -> None:
    """Refuse options that nothing here would heed; raises RecordError."""
    others = sorted(set(options) - {*_ARGUMENTS, "num_classes"})
    if others:
        raise RecordError(
            f"The record's options have {', '.join(others)}, which no network of timm takes: "
            "leave it out (--scale and --head are for ONNX files; --record's `preprocess` says how "
            "pictures are prepared)."
        )


def _theirs(architecture: str) -> tuple[str, bool]:
    """Give timm's name, and whether features are wanted; raises UnknownArchitecture."""
    import timm

    plain = architecture.removeprefix(TIMM_PREFIX)
    name = plain.removesuffix(EMBEDDING_SUFFIX)
    if not timm.is_model(name):
        near = get_close_matches(name, timm.list_models(), 3) or ["convnext_tiny"]
        raise UnknownArchitecture(
            f"{architecture!r} is no network of timm {timm.__version__}; there are, for example, "
            f"{', '.join(repr(TIMM_PREFIX + each) for each in near)}."
        )
    return name, name != plain


def _features(network: Any, batch: torch.Tensor) -> torch.Tensor:
    features: torch.Tensor = network.forward_head(network.forward_features(batch), pre_logits=True)
    return features


def _published(name: str) -> Any:
    """Give timm's settings for a name; those of any other weights of the family where it has none.

    Raises RecordError for a network that takes no pictures of one size.
    """
    import timm

    found = timm.get_pretrained_cfg(name)
    if found is None:
        raise RecordError(
            f"timm publishes no settings for {name!r}; say how pictures are prepared with --record "
            "(its `preprocess`)."
        )
    return found


def _classes(published: Any, shapes: Mapping[str, Sequence[int]]) -> int:
    """Read from the weights how many classes their last layer has; 0 for weights without one.

    A training may have put something before all names (models/checkpoints/prefixes.py).
    """
    found = names_ending(shapes, _last_layer(published))
    return int(shapes[found[0]][0]) if len(found) == 1 and shapes[found[0]] else 0


def _last_layer(published: Any) -> str:
    return _weight_of(published.classifier)


def _weight_of(layer: Any) -> str:
    layers = layer if isinstance(layer, tuple | list) else [layer]
    return f"{next(iter(layers), None)}.weight"


def _is_grey(published: Any, shapes: Mapping[str, Sequence[int]]) -> bool:
    """Say whether the weights' first convolution takes one channel, where timm usually has more."""
    shape = shapes.get(_weight_of(published.first_conv), ())
    return len(shape) == 4 and shape[1] == 1 and published.input_size[0] != 1


def _checked_labels(
    asked: Mapping[str, Any], classes: int, last: str, names: Iterable[str]
) -> list[str]:
    """Give a name a class: the given ones, else ImageNet's for as many; raises RecordError."""
    if not classes:
        if len(several := names_ending(names, last)) > 1:
            raise RecordError(
                f"The weights have {' and '.join(several[:2])}, the last layers of two networks; "
                "save the state dict of one of them alone."
            )
        raise RecordError(
            f"The weights have no {last}, by which {asked['architecture']} answers: they are "
            "another network's, or give features alone and are for "
            f"{asked['architecture']}{EMBEDDING_SUFFIX}."
        )
    labels = list(asked.get("labels") or _published_labels(classes))
    if not labels:
        raise RecordError(
            f"The weights tell {classes} classes apart, and nothing says their names: give them "
            "with --labels (a file with a name a line, or cat,dog)."
        )
    if len(labels) != classes:
        raise RecordError(
            f"There are {len(labels)} labels for weights that tell {classes} classes apart; give "
            "one name a class, in the network's order."
        )
    return labels


def _published_labels(classes: int) -> Sequence[str]:
    """Give the names of ImageNet's categories, if there are so many in one of its parts."""
    from timm.data.imagenet_info import ImageNetInfo, infer_imagenet_subset
    from torchvision.models._meta import _IMAGENET_CATEGORIES

    if classes == len(_IMAGENET_CATEGORIES):  # as torchvision's networks call them
        return list(_IMAGENET_CATEGORIES)
    subset = infer_imagenet_subset({"num_classes": classes})
    return list(ImageNetInfo(subset).label_descriptions()) if subset else []


def _preprocess(published: Any, name: str, shapes: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    from timm.data.config import resolve_data_config

    settings: Any = resolve_data_config(pretrained_cfg=published.to_dict())  # type: ignore[no-untyped-call]  # timm's
    channels, height, width = settings["input_size"]
    way, mode = settings["interpolation"], settings["crop_mode"]
    is_square = height == width
    if mode not in ("center", "squash") or (mode == "center" and not is_square):
        raise RecordError(
            f"timm prepares pictures for {name} by crop_mode {mode!r} to {height} x {width}, which "
            "is not to be had here; say another way with --record (its `preprocess`)."
        )
    if way not in _INTERPOLATIONS:
        raise RecordError(f"timm resizes pictures for {name} by {way!r}, which is not to be had.")
    mean, std = list(settings["mean"]), list(settings["std"])
    if _is_grey(published, shapes):
        channels, mean, std = 1, [fmean(mean)], [fmean(std)]
    sides = [math.floor(side / settings["crop_pct"]) for side in (height, width)]
    return {
        "resize": sides[0] if mode == "center" else sides,
        "crop": height if is_square else [height, width],
        "interpolation": way,
        "resize_by": "pillow",
        "channels": channels,
        "mean": mean,
        "std": std,
    }


def _shard_items(parameters: int) -> int:
    seconds = _FIXED_S + parameters * _S_A_PARAMETER
    return max(8, min(1024, round(_SHARD_S / seconds)))
