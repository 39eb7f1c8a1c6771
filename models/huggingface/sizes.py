"""How a processor resizes and crops pictures, in our terms, or what cannot be said in them."""

import math
from collections.abc import Mapping
from typing import Any

from models.records.errors import RecordError

# A picture is brought to no more, so that a sample's memory is bounded.
_MOST = 4096
# ConvNeXT's processor crops below this size, and squashes from it on.
_CONVNEXT_SQUASHES = 384
# Processors of which the size is the whole picture's, rounded as DETR's; YOLOS then takes off what
# is more than a multiple of 16, MaskFormer adds what is less than one of `size_divisor`.
_YOLOS_DIVISOR = 16


def cropped(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Say how a picture becomes a sample of one size: `resize` and `crop`; raises RecordError."""
    size = _size(settings, "size")
    if name == "ConvNext":
        return _as_convnext(size, settings)
    resize = _resize(name, size, settings)
    if not settings.get("do_center_crop"):
        if isinstance(resize, int):
            raise RecordError(
                f"preprocessor_config.json: size {size} without do_center_crop makes a picture of "
                "any width or height; give size a height and a width."
            )
        return {"resize": resize, "crop": resize}
    crop = _both(_size(settings, "crop_size"), "crop_size")
    least = [resize, resize] if isinstance(resize, int) else resize
    if crop[0] > least[0] or crop[1] > least[1]:
        raise RecordError(
            f"preprocessor_config.json: crop_size {crop} is larger than size {resize}, which would "
            "need padding."
        )
    return {"resize": resize, "crop": crop}


def whole(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Say how a whole picture is resized, for detection and segmentation; raises RecordError."""
    if settings.get("do_center_crop"):
        raise RecordError(
            "preprocessor_config.json: do_center_crop is on, and answers are for whole pictures; "
            "turn it off."
        )
    if settings.get("keep_aspect_ratio"):
        raise RecordError(
            "preprocessor_config.json: keep_aspect_ratio is on, which is not done here; turn it "
            "off, and pictures are brought to size."
        )
    size = _size(settings, "size")
    divisor, divide = _divisor(name, settings)
    if "height" in size:
        height, width = _both(size, "size")
        fixed = [_multiple(height, divisor, divide), _multiple(width, divisor, divide)]
        return {"fixed": [height, width] if name == "Yolos" else fixed}
    if "shortest_edge" not in size:
        raise RecordError(
            f"preprocessor_config.json: size {size} is neither a height and a width nor a "
            "shortest_edge."
        )
    told: dict[str, Any] = {"shorter": size["shortest_edge"]}
    if "longest_edge" in size:
        told |= {"longer": size["longest_edge"], "sizes": "detr"}
    return told | ({"divisor": divisor, "divide": divide} if divisor > 1 else {})


def _as_convnext(size: Mapping[str, int], settings: Mapping[str, Any]) -> dict[str, Any]:
    side = size.get("shortest_edge")
    if side is None:
        raise RecordError(f"preprocessor_config.json: size {dict(size)} lacks a shortest_edge.")
    if side >= _CONVNEXT_SQUASHES:
        return {"resize": [side, side], "crop": [side, side]}
    return {"resize": _enlarged(side, settings.get("crop_pct") or 224 / 256), "crop": [side, side]}


def _resize(name: str, size: Mapping[str, int], settings: Mapping[str, Any]) -> int | list[int]:
    """Give the pixels of the shorter side, or both sides."""
    share = settings.get("crop_pct") if name == "PoolFormer" else None
    if share is not None:
        side = size.get("shortest_edge") or _square(size)
        return _enlarged(side, share)
    if "height" in size:
        return _both(size, "size")
    if "shortest_edge" not in size or "longest_edge" in size:
        raise RecordError(
            f"preprocessor_config.json: size {dict(size)} is neither a height and a width nor a "
            "shortest_edge alone."
        )
    if name == "Levit":
        return int((256 / 224) * size["shortest_edge"])
    return size["shortest_edge"]


def _enlarged(side: int, share: Any) -> int:
    if not isinstance(share, int | float) or not 0.1 <= share <= 1:
        raise RecordError(f"preprocessor_config.json: crop_pct {share} is no share of a picture.")
    return int(side / share)


def _divisor(name: str, settings: Mapping[str, Any]) -> tuple[int, str]:
    if name == "Yolos":
        return _YOLOS_DIVISOR, "down"
    if name in ("MaskFormer", "Mask2Former"):
        return max(1, int(settings.get("size_divisor") or 1)), "up"
    return 1, "down"


def _multiple(side: int, divisor: int, divide: str) -> int:
    return (math.ceil if divide == "up" else math.floor)(side / divisor) * divisor


def _square(size: Mapping[str, int]) -> int:
    height, width = _both(size, "size")
    if height != width:
        raise RecordError("preprocessor_config.json: crop_pct needs a size that is a square.")
    return height


def _both(size: Mapping[str, int], member: str) -> list[int]:
    if not {"height", "width"} <= size.keys():
        raise RecordError(f"preprocessor_config.json: {member} lacks a height or a width.")
    return [size["height"], size["width"]]


def _size(settings: Mapping[str, Any], member: str) -> dict[str, int]:
    """Read a size as transformers writes it, without what it leaves open; raises RecordError."""
    given = settings.get(member)
    if isinstance(given, int):
        given = {"height": given, "width": given}
    if not isinstance(given, Mapping):
        raise RecordError(f"preprocessor_config.json: {member} is missing.")
    size = {name: value for name, value in given.items() if value is not None}
    if not all(isinstance(each, int) and 1 <= each <= _MOST for each in size.values()):
        raise RecordError(
            f"preprocessor_config.json: {member} {size} must be whole numbers from 1 to {_MOST}."
        )
    return size
