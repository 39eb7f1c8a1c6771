"""What networks expect of their pictures where nobody says: plain `preprocess` data of a record.

Each function takes the file's input and gives what its kind of network was usually trained with.
"""

from collections.abc import Mapping
from typing import Any, Final

from models.onnx_models.reading.shapes import PictureInput
from models.records.options import ValueScale

_IMAGENET_MEAN: Final = [0.485, 0.456, 0.406]
_IMAGENET_STD: Final = [0.229, 0.224, 0.225]
# Of grey pictures: the averages of the three, as timm takes them (timm.data.loader, adapt_to_chs).
_GREY_MEAN: Final = [0.449]
_GREY_STD: Final = [0.226]
# torchvision's classifiers see 224 pixels of 256; other sizes in proportion, as 299 of 342.
_RESIZED, _CROPPED = 256, 224
# Of 1 / 255 as somebody writes it.
_ROUNDING: Final = 1e-3
# torchvision's filter for tensors, said so that a record shows what is done.
_TENSORS: Final = {"interpolation": "bilinear", "resize_by": "torchvision"}
# The sizes that torchvision's detectors resize pictures to by themselves.
_DETECTOR_SIDES: Final = {"shorter": 800, "longer": 1333}


def cropped(taken: PictureInput) -> dict[str, Any]:
    """Expect ImageNet's: resized to a little more, the centre cut out, its mean and deviation."""
    side = taken.height
    return {
        **_imagenet(taken),
        "resize": round(side * _RESIZED / _CROPPED),
        "crop": side,
        **_TENSORS,
    }


def cropped_by_ultralytics(taken: PictureInput) -> dict[str, Any]:
    """Expect what Ultralytics' classifiers do: the shorter side resized, values in [0, 1]."""
    return {**_plain(taken), "resize": taken.height, "crop": taken.height, **_TENSORS}


def stretched_to_imagenet(taken: PictureInput) -> dict[str, Any]:
    """Expect the whole picture at the input's size, with ImageNet's mean and deviation."""
    return {**_imagenet(taken), "fixed": [taken.height, taken.width], **_TENSORS}


def stretched(taken: PictureInput) -> dict[str, Any]:
    """Expect the whole picture at the input's size, values in [0, 1]."""
    return {**_plain(taken), "fixed": [taken.height, taken.width], **_TENSORS}


def stretched_by_opencv(taken: PictureInput) -> dict[str, Any]:
    """Expect the same, resized as Ultralytics' RT-DETR has it."""
    return {**stretched(taken), "resize_by": "opencv"}


def stretched_around_zero(taken: PictureInput) -> dict[str, Any]:
    """Expect the whole picture at the input's size, values in [-1, 1]."""
    half = [0.5] * taken.channels
    return {**stretched(taken), "mean": half, "std": half}


def letterboxed(taken: PictureInput) -> dict[str, Any]:
    """Expect Ultralytics' letterbox, values in [0, 1]."""
    return {
        **_plain(taken),
        "letterbox": [taken.height, taken.width],
        "align": "center",
        "resize_by": "opencv",
    }


def letterboxed_by_yolox(taken: PictureInput) -> dict[str, Any]:
    """Expect YOLOX's letterbox: at the top left, BGR, values of 0 to 255."""
    return {
        **letterboxed(taken),
        "std": [1 / 255] * taken.channels,
        "align": "corner",
        "order": "bgr" if taken.channels == 3 else "rgb",
    }


def resized_for_torchvision(taken: PictureInput) -> dict[str, Any]:
    """Expect what torchvision's detectors would do by themselves, so that nothing is left to do."""
    if not taken.free:
        return stretched(taken)
    return {**_plain(taken), **_DETECTOR_SIDES, "antialias": False}


def scaled(plain: dict[str, Any], scale: ValueScale) -> dict[str, Any]:
    """Normalise values of [0, 1] as `scale` says, whatever else is done."""
    channels = plain["channels"]
    zero, half = [0.0] * channels, [0.5] * channels
    ways: dict[str, tuple[list[float], list[float]]] = {
        "imagenet": (_IMAGENET_MEAN, _IMAGENET_STD) if channels == 3 else (_GREY_MEAN, _GREY_STD),
        "unit": (zero, [1.0] * channels),
        "symmetric": (half, half),
    }
    mean, std = ways[scale]
    return {**plain, "mean": mean, "std": std}


def of_bytes(plain: dict[str, Any]) -> dict[str, Any]:
    """Leave values as bytes have them, 0 to 255, whatever else is done."""
    channels = plain["channels"]
    return {**plain, "mean": [0.0] * channels, "std": [1 / 255] * channels}


def are_bytes(plain: Mapping[str, Any]) -> bool:
    """Say whether values are left as bytes have them."""
    scale = [each * 255 for each in plain["std"]]
    return not any(plain["mean"]) and all(abs(each - 1) < _ROUNDING for each in scale)


def _plain(taken: PictureInput) -> dict[str, Any]:
    channels = taken.channels
    return {"channels": channels, "mean": [0.0] * channels, "std": [1.0] * channels}


def _imagenet(taken: PictureInput) -> dict[str, Any]:
    if taken.channels != 3:  # ImageNet says nothing of grey
        return _plain(taken)
    return {"channels": 3, "mean": _IMAGENET_MEAN, "std": _IMAGENET_STD}
