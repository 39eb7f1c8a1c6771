"""A preprocessor_config.json in the terms of our own preprocessing (models/preprocessing).

transformers' own class of the processor fills in what the file leaves out; of what it then says
every setting is either expressed or refused. Pictures are resized by Pillow, as the processors of
earlier versions did. Those of version 5 resize uint8 tensors by torchvision, with Pillow's whole
numbers: of a thousand values at most eight differ, by one step of 255. torchvision's older way, in
float32, differs from both in one value of six.
"""

import inspect
from collections.abc import Mapping
from typing import Any

from models.huggingface.library import transformers
from models.huggingface.model_types import ModelType
from models.huggingface.scales import scale_of
from models.huggingface.sizes import cropped, whole
from models.records.errors import RecordError

# The processors whose steps are known to be those that are written down here.
_KNOWN = frozenset(
    """
    Beit Bit CLIP ConditionalDetr ConvNext DINOv3ViT DPT DeiT DeformableDetr Detr EfficientNet Levit
    Mask2Former MaskFormer MobileNetV1 MobileNetV2 MobileViT PoolFormer Pvt RTDetr Segformer Siglip
    ViT VideoMAE Vivit Yolos
    """.split()  # noqa: SIM905  # as a list literal it would be 26 lines
)
# Names that folders bear whose processor was another one's.
_SAME = {"Swin": "ViT", "TimeSformer": "VideoMAE", "Timesformer": "VideoMAE"}
_ENDINGS = ("ImageProcessor", "FeatureExtractor", "VideoProcessor")
# Settings that transformers' classes still read, and no longer declare.
_OLD = ("max_size", "pad_and_return_pixel_mask")
# Pillow's numbers for ways to resample.
_MODES = {0: "nearest", 2: "bilinear", 3: "bicubic"}
_MODE_NAMES = {1: "lanczos", 4: "box", 5: "hamming"}
CROPPING = ("classification", "embedding", "zero-shot-classification")


def preprocess_of(
    task: str, kind: ModelType, config: Mapping[str, Any], processor: Mapping[str, Any]
) -> dict[str, Any]:
    """Turn a processor's settings into a record's `preprocess`; raises RecordError naming one.

    The names in what it gives are those of models/preprocessing: `preprocess` for classification
    and embedding, `whole_pictures` for detection and segmentation, `frames` for videos.
    """
    if not processor:
        raise RecordError(
            "The folder has no preprocessor_config.json, so that nobody knows how its pictures are "
            "prepared; add one, or give the record a `preprocess`."
        )
    name = _name_of(processor, kind)
    settings = _settings(name, processor)
    _check_steps(settings, task)
    channels = _channels(config)
    scale = {
        "channels": channels,
        "antialias": True,
        "resize_by": "pillow",
        **scale_of(name, settings, channels),
    }
    mode = _mode(settings)
    if task == "video-classification":
        return {**_frames(name, settings, kind, config), "interpolation": mode, **scale}
    if task in CROPPING:
        size = cropped(name, settings)
        return {**size, "interpolation": mode, "crop_rounding": "down", **scale}
    return {**whole(name, settings), "interpolation": mode, **scale}


def _name_of(processor: Mapping[str, Any], kind: ModelType) -> str:
    """Give the bare name of a processor, such as "ViT"; raises RecordError for an unknown one."""
    given = ""
    for member in ("image_processor_type", "video_processor_type", "feature_extractor_type"):
        given = given or str(processor.get(member) or "")
    bare = given.removesuffix("Fast")
    for ending in _ENDINGS:
        bare = bare.removesuffix(ending)
    name = _SAME.get(bare, bare) or kind.processor
    if name not in _KNOWN:
        raise RecordError(
            f"preprocessor_config.json: the processor {given[:80]!r} is none whose steps are known "
            "here; give the record a `preprocess`."
        )
    return name


def _settings(name: str, processor: Mapping[str, Any]) -> dict[str, Any]:
    """Give the processor's settings with all that transformers' own class adds; plain data."""
    library = transformers()
    made = getattr(library, f"{name}ImageProcessor")
    declared = {*made.valid_kwargs.__annotations__, *inspect.signature(made).parameters, *_OLD}
    try:
        settings: dict[str, Any] = made(
            **{each: value for each, value in processor.items() if each in declared}
        ).to_dict()
    except Exception as err:  # transformers raises whatever its check of a setting happens to
        reason = " ".join(str(err).split())[:300]
        raise RecordError(f"preprocessor_config.json cannot be read: {reason}.") from err
    return settings


def _check_steps(settings: Mapping[str, Any], task: str) -> None:
    """Refuse steps that are not taken here; raises RecordError."""
    if not settings.get("do_resize"):
        raise RecordError(
            "preprocessor_config.json: do_resize is off, and pictures come in any size."
        )
    pads_batches = task in ("detection", "segmentation") and not settings.get("pad_size")
    if settings.get("do_pad") and not pads_batches:
        raise RecordError("preprocessor_config.json: do_pad is on, and no picture is padded here.")
    if settings.get("do_thumbnail") or settings.get("do_align_long_axis"):
        raise RecordError("preprocessor_config.json: pictures are neither shrunk twice nor turned.")
    if settings.get("do_grayscale"):
        raise RecordError("preprocessor_config.json: do_grayscale is on, which is not done here.")


def _mode(settings: Mapping[str, Any]) -> str:
    number = settings.get("resample")
    number = 2 if number is None else int(number)
    if number not in _MODES:
        name = _MODE_NAMES.get(number, str(number))
        raise RecordError(
            f"preprocessor_config.json: resample is {number} ({name}); there are "
            "0 (nearest), 2 (bilinear) and 3 (bicubic)."
        )
    return _MODES[number]


def _channels(config: Mapping[str, Any]) -> int:
    for part in (config, config.get("vision_config"), config.get("backbone_config")):
        if isinstance(part, Mapping) and "num_channels" in part:
            return int(part["num_channels"])
    return 3


def _frames(
    name: str, settings: Mapping[str, Any], kind: ModelType, config: Mapping[str, Any]
) -> dict[str, Any]:
    """Say how frames are prepared, and how many make a clip: as many as the network has places."""
    size = cropped(name, settings)
    resize, crop = size["resize"], size["crop"]
    window = int(config.get("num_frames") or _frames_by_default(kind))
    return {
        "resize": resize if isinstance(resize, list) else [resize],
        "crop": crop if isinstance(crop, list) else [crop, crop],
        "crop_rounding": "down",
        "fps": kind.fps,
        "window": window,
        "windows": [window, window],
        "carries": False,
    }


def _frames_by_default(kind: ModelType) -> int:
    made = transformers().models.auto.configuration_auto.CONFIG_MAPPING[kind.name]
    return int(made().num_frames)
