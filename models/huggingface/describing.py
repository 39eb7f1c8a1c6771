"""What a Hugging Face folder says of itself, as the members of a record that a caller left out."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from models.huggingface.configuration import check_architecture, label_count, options_of
from models.huggingface.costs import gflops_of
from models.huggingface.model_types import (
    WITHOUT_CLASSES,
    ZERO_SHOT,
    class_of,
    model_type_of,
    task_of,
)
from models.huggingface.processors import CROPPING, preprocess_of
from models.records.errors import RecordError
from models.records.labels import check_no_labels
from models.records.record import VIDEO_LIMITS, Limits

# One CPU core's pace, to cut shards of about three seconds: as torchvision's networks are cut
# (models/networks/torchvision.py, where it was measured).
_SHARD_SECONDS, _CORE_GFLOPS, _FIXED_SECONDS = 3.0, 35.0, 0.010
_HEAVY_GFLOPS, _HEAVY_BATCH, _LIGHT_BATCH, _CROPS_BATCH, _CLIPS_BATCH = 12.0, 4, 16, 32, 2
_VIDEO = "video-classification"


def describe(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Say what a record leaves out; `asked` is what a caller sent, members of a ModelRecord.

    It must hold `architecture` ("huggingface/vit") and `options` (`config` and `processor`: what
    config.json and preprocessor_config.json hold). Gives task, labels, preprocess, input_kind,
    max_batch, shard_items, limits, description and provenance, those of them that `asked` lacks.
    Raises RecordError, in one line, for what cannot be run as the folder says.
    """
    config, processor = options_of(asked)
    check_architecture(str(asked.get("architecture")), config)
    kind = model_type_of(config)
    task = str(asked.get("task") or task_of(config))
    name = class_of(config, task)
    labels, said = _labels(task, config, asked.get("labels"))
    preprocess = asked.get("preprocess") or preprocess_of(task, kind, config, processor)
    of_videos = task == _VIDEO
    gflops = gflops_of(asked, task, labels, preprocess)
    told = {
        "task": task,
        "labels": labels,
        "preprocess": preprocess,
        "input_kind": "video" if of_videos else "image",
        "max_batch": _max_batch(task, gflops),
        "shard_items": _shard_items(task, gflops),
        "limits": asdict(VIDEO_LIMITS if of_videos else Limits()),
        "description": f"{name} of a Hugging Face folder{said}{_clips(preprocess, of_videos)}.",
        "provenance": {"source": _source(config)},
    }
    return {member: value for member, value in told.items() if not asked.get(member)}


def _labels(task: str, config: Mapping[str, Any], given: Any) -> tuple[list[str], str]:
    """Give the labels in the order of their numbers, and what is to be said of them."""
    if task in WITHOUT_CLASSES:
        if task == "embedding":
            check_no_labels(given, f"{config['model_type']!r}", _with_labels(config))
        elif given and list(given) != [task]:
            raise RecordError(
                f"`labels` are given with each job of a model for {task}; leave them out here.",
                param="labels",
            )
        # It names no classes, and a record has at least one label.
        return [task], ""
    count = label_count(config)
    if given:
        if len(given) != count:
            raise RecordError(
                f"{len(given)} labels are given, and config.json's id2label names {count}; give "
                "one label a class."
            )
        return [str(each) for each in given], ""
    names = config.get("id2label")
    if not isinstance(names, Mapping) or not names:
        names = {str(number): f"LABEL_{number}" for number in range(count)}
    labels = [names.get(str(number), names.get(number)) for number in range(count)]
    if not all(isinstance(each, str) and each for each in labels):
        raise RecordError(
            f"config.json's id2label must name classes 0 to {count - 1}, each by a text; give "
            "`labels` instead."
        )
    unnamed = labels == [f"LABEL_{number}" for number in range(count)]
    return [str(each) for each in labels], ", whose classes have no names" if unnamed else ""


def _with_labels(config: Mapping[str, Any]) -> str:
    """Say how labels would count for a network that can meet texts too; else nothing."""
    try:
        class_of(config, ZERO_SHOT)
    except RecordError:
        return ""
    return f"give them with each job of a model that was pushed with --task {ZERO_SHOT}"


def _clips(preprocess: Mapping[str, Any], of_videos: bool) -> str:
    """Say of films how they are looked at: no folder says at how many frames a second."""
    if not of_videos:
        return ""
    return f", looking at {preprocess['window']} frames at {preprocess['fps']:g} a second"


def _source(config: Mapping[str, Any]) -> str:
    """Name where the folder says that it is from; a path of somebody's disk is left out."""
    name = config.get("_name_or_path")
    is_repository = (
        isinstance(name, str) and name.count("/") == 1 and not name.startswith(("/", "."))
    )
    return f"Hugging Face: {name}" if is_repository else "Hugging Face folder"


def _max_batch(task: str, gflops: float) -> int:
    if task == _VIDEO:
        return _CLIPS_BATCH
    if task in CROPPING:
        return _CROPS_BATCH
    return _HEAVY_BATCH if gflops >= _HEAVY_GFLOPS else _LIGHT_BATCH


def _shard_items(task: str, gflops: float) -> int:
    if task == _VIDEO:
        return 1
    seconds = _FIXED_SECONDS + gflops / _CORE_GFLOPS
    return max(8, min(1024, round(_SHARD_SECONDS / seconds)))
