"""The networks that are shipped with us: their records, and where their weights are."""

from collections.abc import Mapping
from pathlib import Path

from models.records.errors import UnknownArchitecture
from models.records.record import VIDEO_LIMITS, Limits, ModelRecord
from models.records.windows import MAX_WINDOW

# Figures: models/weights/digits.md, which `python -m models.train` wrote and
# `python -m models.evaluate` measures again.
_DIGITS = ModelRecord(
    name="digits",
    task="classification",
    architecture="digits",
    labels=tuple("0123456789"),
    preprocess={
        "resize": 28,
        "crop": 28,
        "interpolation": "bilinear",
        "antialias": True,
        "channels": 1,
        "mean": [0.0],
        "std": [1.0],
    },
    max_batch=64,
    shard_items=6000,  # 0.35 ms of one core an image, measured
    limits=Limits(),
    metrics={"heldout_accuracy": 0.9917, "parameters": 220234},
    description="Handwritten digits: light strokes on a dark ground, centred, one a picture.",
)

# Scenes come in any size: their shorter side is brought to the one that was trained with.
_SCENE_PREPROCESS = {
    "shorter": 96,
    "antialias": True,
    "channels": 1,
    "mean": [0.0],
    "std": [1.0],
}

# Figures: models/weights/scenes-detector.md, likewise.
_SCENES_DETECTOR = ModelRecord(
    name="scenes-detector",
    task="detection",
    architecture="scenes-detector",
    labels=tuple("0123456789"),
    preprocess=_SCENE_PREPROCESS,
    max_batch=64,
    shard_items=1200,  # 2.5 ms of one core a scene, measured
    metrics={"heldout_map50": 0.9972, "heldout_map75": 0.9909, "parameters": 295678},
    description="Handwritten digits of several sizes on cluttered grey grounds, each with its box.",
)

# Figures: models/weights/scenes-segmenter.md, likewise.
_SCENES_SEGMENTER = ModelRecord(
    name="scenes-segmenter",
    task="segmentation",
    architecture="scenes-segmenter",
    labels=("background", *"0123456789"),
    preprocess=_SCENE_PREPROCESS,
    max_batch=64,
    shard_items=600,  # 5 ms of one core a scene, measured
    metrics={"heldout_mean_iou": 0.8813, "parameters": 222516},
    description="The ink of handwritten digits on cluttered grey grounds, a mask a digit's class.",
)

# Figures: models/weights/motion.md, likewise.
_MOTION = ModelRecord(
    name="motion",
    task="video-classification",
    architecture="motion",
    labels=tuple(
        f"{digit} {direction}"
        for digit in "0123456789"
        for direction in ("left", "right", "up", "down")
    ),
    preprocess={
        "resize": [64],
        "crop": [64, 64],
        "antialias": True,
        "channels": 1,
        "mean": [0.0],
        "std": [1.0],
        "fps": 8.0,
        "window": 16,
        "windows": [1, MAX_WINDOW],
        "carries": True,
    },
    input_kind="video",
    max_batch=16,
    shard_items=16,  # 0.3 ms of one core a frame and as much to prepare it, measured; then decoding
    limits=VIDEO_LIMITS,
    metrics={
        "heldout_digit_accuracy": 0.9840,
        "heldout_direction_accuracy": 0.9760,
        "stream_digit_accuracy": 0.9635,
        "stream_direction_accuracy": 0.9552,
        "parameters": 254570,
    },
    description="A handwritten digit that moves over a cluttered grey ground, and where it moves "
    "to: left, right, up or down.",
)

SHIPPED: Mapping[str, ModelRecord] = {
    record.name: record for record in (_DIGITS, _SCENES_DETECTOR, _SCENES_SEGMENTER, _MOTION)
}


def shipped_weights(name: str) -> Path:
    """Return the path of a shipped network's safetensors; raises UnknownArchitecture."""
    if name not in SHIPPED:
        raise UnknownArchitecture(
            f"No network {name!r} is shipped; there are: {', '.join(SHIPPED)}."
        )
    return Path(__file__).parents[1] / "weights" / f"{name}.safetensors"
