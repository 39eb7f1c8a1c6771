"""torchvision's networks: built by torchvision, described in our plain record.

Preprocessing, category names and figures are those that torchvision publishes with its weights
(`get_model_weights(name)`): they come with the package and need no download.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn
from torchvision import models as tv

from models.networks.torchvision_detectors import build_detector, detector_preprocess
from models.networks.torchvision_embedders import without_last_layer
from models.networks.torchvision_videos import (
    build_video_classifier,
    video_preprocess,
)
from models.records.errors import RecordError, UnknownArchitecture
from models.records.record import VIDEO_LIMITS, Limits, ModelRecord
from models.records.torchvision_names import (
    CLASSIFIERS,
    DETECTORS,
    EMBEDDING_SUFFIX,
    INSTANCE_SEGMENTERS,
    SEMANTIC_SEGMENTERS,
    TORCHVISION_PREFIX,
    TORCHVISION_TASKS,
    VIDEO_CLASSIFIERS,
)

# Both were published with inputs re-scaled inside the network, and with extra heads that only
# training uses: torchvision sets the same two when it loads their weights.
_INCEPTIONS = {"transform_input": True, "aux_logits": False, "init_weights": False}
_BUILD_OPTIONS: dict[str, dict[str, Any]] = {"googlenet": _INCEPTIONS, "inception_v3": _INCEPTIONS}

# One CPU core's pace, to cut shards of about three seconds. Fitted to CPU time measured here (one
# thread, 500 x 375 JPEG): ResNet-18 57 ms an image at 1.8 GFLOPS, MobileNetV3-small 12 ms at 0.06.
# The fixed part is decoding, resizing and layers whose cost is not arithmetic.
_SHARD_SECONDS = 3.0
_CORE_GFLOPS = 35.0
_FIXED_SECONDS = 0.010
# A batch must neither fill the memory with feature maps nor keep one core so long that the process
# seems to have stalled: four pictures of a heavy detector take about twenty seconds.
_HEAVY_GFLOPS = 12.0
_HEAVY_BATCH, _LIGHT_BATCH, _CROPS_BATCH = 4, 16, 32
# A clip of the lightest video classifier costs as much as twenty pictures of ResNet-18, and a video
# has many clips.
_CLIPS_BATCH, _SHARD_VIDEOS = 2, 1

Builder = Callable[[int], nn.Module]


def builders() -> Iterator[tuple[str, Builder]]:
    """Yield (our name, builder that takes the number of classes) for every network."""
    families: tuple[tuple[tuple[str, ...], Callable[[str, int], nn.Module]], ...] = (
        (CLASSIFIERS, build_classifier),
        (tuple(name + EMBEDDING_SUFFIX for name in CLASSIFIERS), _build_embedder),
        (DETECTORS + INSTANCE_SEGMENTERS, build_detector),
        (SEMANTIC_SEGMENTERS, _build_segmenter),
        (VIDEO_CLASSIFIERS, build_video_classifier),
    )
    for names, build in families:
        for name in names:
            yield TORCHVISION_PREFIX + name, partial(build, name)


def torchvision_record(architecture: str, weights_name: str | None = None) -> ModelRecord:
    """Describe a torchvision network with its published weights, without fetching them.

    `architecture` is "torchvision/resnet50"; `weights_name` "IMAGENET1K_V1", or None for the
    set that torchvision recommends. Raises UnknownArchitecture or RecordError.
    """
    weights = published_weights(architecture, weights_name)
    labels = tuple(weights.meta.get("categories") or ())
    if not labels:
        raise RecordError(
            f"The weights {weights.name} of {architecture} are features without categories; "
            "choose another set of weights."
        )
    # What was published of a classifier is no figure of the vectors before its answer.
    is_embedder = architecture.endswith(EMBEDDING_SUFFIX)
    published = {} if is_embedder else weights.meta.get("_metrics", {})
    figures: dict[str, float] = next(iter(published.values()), {})
    gflops = float(weights.meta.get("_ops", 1.0))
    task = TORCHVISION_TASKS[architecture]
    of_videos = task == "video-classification"
    return ModelRecord(
        name=architecture,
        task=task,
        architecture=architecture,
        labels=labels,
        preprocess=_preprocess(_theirs(architecture), weights),
        input_kind="video" if of_videos else "image",
        max_batch=_max_batch(task, gflops),
        shard_items=_shard_items(task, gflops),
        limits=VIDEO_LIMITS if of_videos else Limits(),
        metrics={
            **{f"published_{name}": float(value) for name, value in figures.items()},
            "parameters": int(weights.meta.get("num_params", 0)),
        },
        description=f"{architecture} of torchvision with its published weights {weights.name}.",
    )


def describe(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Give the members of a record for weights of the caller's own: what holds for any weights.

    Labels are the published ones, which other weights may not have: then they do not fit. Raises
    what `torchvision_record` does.
    """
    architecture = asked["architecture"]
    published = torchvision_record(architecture).to_json()
    taken = ("task", "labels", "preprocess", "input_kind", "max_batch", "shard_items", "limits")
    description = f"{architecture} of torchvision, with weights of the caller's own."
    return {name: published[name] for name in taken} | {"description": description}


def record_of_file(architecture: str, path: Path) -> ModelRecord:
    """Describe a torchvision network with the weights of a file.

    A file that torchvision has published is known by the digest in its name. Of any other nothing
    is known: it has no published name or figures. Raises what `torchvision_record` does, OSError.
    """
    record = torchvision_record(architecture)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    for weights in tv.get_model_weights(_theirs(architecture)):
        # Such as …/resnet18-f37072fd.pth (torch.hub.load_state_dict_from_url's check_hash).
        if weights.url.endswith(f"-{digest[:8]}.pth"):
            return torchvision_record(architecture, weights.name)
    return replace(
        record,
        metrics={"parameters": record.metrics["parameters"]},
        description=f"{architecture} of torchvision, weights of {path.name}, sha256 {digest}.",
    )


def published_weights(architecture: str, weights_name: str | None = None) -> Any:
    """Return torchvision's weights entry; None asks for the recommended one.

    Raises UnknownArchitecture, or RecordError when there are no such weights.
    """
    if architecture not in TORCHVISION_TASKS:
        raise UnknownArchitecture(
            f"{architecture!r} is no network of torchvision for {_tasks()}; "
            f"write it as, for example, '{TORCHVISION_PREFIX}resnet50'."
        )
    choices = tv.get_model_weights(_theirs(architecture))
    if weights_name is None:
        return choices["DEFAULT"]
    if weights_name not in choices.__members__:
        raise RecordError(
            f"{architecture} has no weights {weights_name!r}; "
            f"there are: {', '.join(choices.__members__)}."
        )
    return choices[weights_name]


def build_classifier(name: str, classes: int) -> nn.Module:
    """Build one classifier without weights (and so without a download)."""
    network: nn.Module = tv.get_model_builder(name)(
        weights=None, num_classes=classes, **_BUILD_OPTIONS.get(name, {})
    )
    return network


def _build_embedder(name: str, classes: int) -> nn.Module:
    """Build a classifier that answers with its features."""
    return without_last_layer(build_classifier(name.removesuffix(EMBEDDING_SUFFIX), classes))


def _build_segmenter(name: str, classes: int) -> nn.Module:
    """Build one network without weights, and without the second head that only training uses."""
    network: nn.Module = tv.get_model_builder(name)(
        weights=None, weights_backbone=None, num_classes=classes, aux_loss=False
    )
    return network


def _preprocess(name: str, weights: Any) -> dict[str, Any]:
    """Turn what torchvision publishes into the record's plain data."""
    if name in DETECTORS + INSTANCE_SEGMENTERS:
        return detector_preprocess(name, len(weights.meta["categories"]))
    published = weights.transforms()
    if name in VIDEO_CLASSIFIERS:
        return video_preprocess(name, published)
    scale = {"channels": 3, "mean": list(published.mean), "std": list(published.std)}
    if name in SEMANTIC_SEGMENTERS:
        return {"shorter": published.resize_size[0], "antialias": True, **scale}
    return {
        "resize": published.resize_size[0],
        "crop": published.crop_size[0],
        "interpolation": published.interpolation.value,
        "antialias": bool(published.antialias),
        **scale,
    }


def _theirs(architecture: str) -> str:
    """Return torchvision's own name for one of ours."""
    return architecture.removeprefix(TORCHVISION_PREFIX).removesuffix(EMBEDDING_SUFFIX)


def _max_batch(task: str, gflops: float) -> int:
    if task in ("classification", "embedding"):
        return _CROPS_BATCH
    if task == "video-classification":
        return _CLIPS_BATCH
    return _HEAVY_BATCH if gflops >= _HEAVY_GFLOPS else _LIGHT_BATCH


def _shard_items(task: str, gflops: float) -> int:
    """Estimate how many items keep one core busy for about `_SHARD_SECONDS`."""
    if task == "video-classification":
        return _SHARD_VIDEOS
    seconds = _FIXED_SECONDS + gflops / _CORE_GFLOPS
    return max(8, min(1024, round(_SHARD_SECONDS / seconds)))


def _tasks() -> str:
    return ", ".join(dict.fromkeys(TORCHVISION_TASKS.values()))
