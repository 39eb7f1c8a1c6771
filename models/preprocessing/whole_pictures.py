"""Whole pictures to what a detector or a segmenter takes: resized, never cropped.

A record's `preprocess` for such a network, as plain JSON data: `channels` (1 or 3), `mean`, `std`
(one number a channel, for values in [0, 1]), `antialias`, and the size, by one of

- `fixed`: [height, width], whatever the picture's own proportions
- `shorter`: pixels of the shorter side, and with `longer` no more than that of the longer one;
  `sizes` says whose rounding ("torchvision" or "detr"), and `divisor` what both sides are then
  brought to a multiple of, `divide` "down" or "up"
- `letterbox`: [height, width] with the picture's own proportions kept: what it leaves free is grey,
  `fill` (0 to 255, by default 114), and `align` says where it lies ("center" or "corner", see
  `letterbox`)

`interpolation` ("bilinear", "bicubic" or "nearest") is for pictures that are filtered.

`order` is that of the channels that the network takes, "rgb" or "bgr"; mean and std are in it.
`resize_by` is "torchvision", "pillow" or, for `fixed` and `letterbox`, "opencv": cv2.INTER_LINEAR
on uint8, which filters nothing.

By torchvision and with `antialias`, pixels are those of its segmentation presets: uint8, filtered.
Without it they are those of its detectors (`GeneralizedRCNNTransform`): each a blend of the four
that surround its place in the original, in float32. Those never look at the rest of the original,
and neither does this file: a picture of 64 million pixels costs no more memory than its own bytes.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.transforms import InterpolationMode

from models.media.memory import Pixels
from models.preprocessing.letterbox import ALIGNMENTS, Placement, framed, resize_by_opencv
from models.preprocessing.members import check_members, mode_of
from models.preprocessing.preprocess import MAX_RESIZED_PIXELS, check_channels
from models.preprocessing.resampling import (
    ResizeBy,
    Size,
    as_taken,
    by_shorter_side,
    decoded_channels,
    resize_and_crop,
)
from models.records.errors import ImageTooLarge, RecordError
from models.records.record import Limits, ModelRecord

# A sample may have so many times the pixels of a usual one: a panorama of five to one passes, and a
# strip of one pixel's width that would be blown up to a thousand times its size does not.
_MOST_TIMES_USUAL = 4

_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "align": tuple(ALIGNMENTS),
    "resize_by": ("torchvision", "pillow", "opencv"),
    "sizes": ("torchvision", "detr"),
    "divide": ("down", "up"),
    "order": ("rgb", "bgr"),
}


@dataclass(frozen=True)
class WholePicture:
    """A record's `preprocess`, read and checked; sizes are (height, width) in pixels."""

    channels: int
    mean: list[float]
    std: list[float]
    antialias: bool = True
    fixed: list[int] | None = None
    shorter: int | None = None
    longer: int | None = None
    letterbox: list[int] | None = None
    fill: int = 114
    align: str = "center"
    order: str = "rgb"
    interpolation: InterpolationMode = InterpolationMode.BILINEAR
    sizes: Literal["torchvision", "detr"] = "torchvision"
    divisor: int = 1
    divide: Literal["down", "up"] = "down"
    resize_by: ResizeBy | Literal["opencv"] = "torchvision"

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> Self:
        """Read the plain form; raises RecordError saying what is wrong."""
        check_members(plain, cls, "whole pictures (detection, segmentation)")
        mode = mode_of(plain)
        try:
            read = cls(**{**plain, "interpolation": mode})
            check_channels(read.channels, read)
        except (TypeError, ValueError) as err:
            raise RecordError(f"The record's preprocess cannot be used: {err}.") from err
        read._check_sides()
        read._check_choices()
        return read

    def _check_sides(self) -> None:
        if [self.fixed, self.shorter, self.letterbox].count(None) != 2:
            raise RecordError(
                "The record's preprocess needs one of `fixed`, `shorter` and `letterbox`."
            )
        both = self.fixed or self.letterbox
        sides = [*(both or ()), *(x for x in (self.shorter, self.longer) if x is not None)]
        if len(both or (1, 1)) != 2 or min(sides) < 1:
            raise RecordError("The record's preprocess needs sides of at least one pixel.")

    def _check_choices(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise RecordError(
                    f"The record's preprocess.{name} is {getattr(self, name)!r} and must be "
                    f"one of {', '.join(map(repr, choices))}."
                )
        if type(self.fill) is not int or not 0 <= self.fill <= 255:
            raise RecordError("The record's preprocess.fill must be a whole number from 0 to 255.")
        if type(self.divisor) is not int or self.divisor < 1:
            raise RecordError("The record's preprocess.divisor must be a whole number above 0.")
        if self.order == "bgr" and self.channels != 3:
            raise RecordError("The record's preprocess.order 'bgr' needs three channels.")
        if self.resize_by == "opencv" and self.shorter is not None:
            raise RecordError(
                "The record's preprocess.resize_by 'opencv' needs `fixed` or `letterbox`."
            )

    def size_for(self, height: int, width: int) -> Size:
        """Say how large a picture of this size becomes; rounded as `sizes` and `divisor` say.

        In a letterbox that is the part of the sample that the picture takes.
        """
        place = self.place(height, width)
        if place is not None:
            return place.height, place.width
        if self.fixed is not None:
            return self.fixed[0], self.fixed[1]
        sides = self._sides(height, width)
        by = math.ceil if self.divide == "up" else math.floor
        return by(sides[0] / self.divisor) * self.divisor, by(
            sides[1] / self.divisor
        ) * self.divisor

    def _sides(self, height: int, width: int) -> Size:
        assert self.shorter is not None
        if self.longer is None:
            return by_shorter_side(height, width, self.shorter)
        if self.sizes == "detr":
            return as_detr(height, width, self.shorter, self.longer)
        scale = min(self.shorter / min(height, width), self.longer / max(height, width))
        return math.floor(height * scale), math.floor(width * scale)

    def place(self, height: int, width: int) -> Placement | None:
        """Say where in its sample a picture of this size lies; None where it is all of it."""
        if self.letterbox is None:
            return None
        return ALIGNMENTS[self.align]((height, width), (self.letterbox[0], self.letterbox[1]))

    @property
    def decoded(self) -> int:
        """How many channels a picture is decoded to (`decoded_channels`)."""
        return decoded_channels(self.channels, self.resize_by)

    @property
    def filtered(self) -> bool:
        """Whether samples are made with a filter, to which every pixel of the original counts."""
        return self.resize_by == "pillow" or (self.antialias and self.resize_by == "torchvision")

    @property
    def dtype(self) -> torch.dtype:
        """What samples are: uint8, or float32 in [0, 1]."""
        is_rounded = self.antialias or self.resize_by != "torchvision"
        return torch.uint8 if is_rounded else torch.float32

    @property
    def least(self) -> int | None:
        """The shortest side that a decoder may scale a picture down to; None for not at all.

        Twice what is kept, on both sides (see `Preprocessing.least`): no picture keeps more than
        `shorter` of its shorter side, one in a `letterbox` no more than the shorter of the two, and
        one of a `fixed` size may keep as much as the longer of the two.
        """
        if not self.filtered:
            return None
        if self.letterbox is not None:
            return 2 * min(self.letterbox)
        return 2 * (self.shorter if self.shorter is not None else max(self.fixed or ()))

    @property
    def usual_size(self) -> Size:
        """The size of a sample from a picture four thirds as wide as high."""
        if self.letterbox is not None:
            return self.letterbox[0], self.letterbox[1]
        return self.size_for(600, 800)


def spec_of(record: ModelRecord) -> WholePicture:
    """Read a record's preprocessing; raises RecordError."""
    return record.parsed(WholePicture.read)


def as_detr(height: int, width: int, shorter: int, longer: int) -> Size:
    """Say how large a picture becomes for DETR and its family (transformers' rounding)."""
    small, large = min(height, width), max(height, width)
    scaled: float = shorter
    if large / small * shorter > longer:
        scaled = longer * small / large
        shorter = round(scaled)
    if small == shorter:
        return height, width
    long_side = int(scaled * large / small)
    return (shorter, long_side) if height <= width else (long_side, shorter)


def resize_whole(
    pixels: Pixels, spec: WholePicture, limits: Limits, original: Size | None = None
) -> torch.Tensor:
    """Resize uint8 (H, W, C) to (channels, h, w): uint8, or float32 in [0, 1] without `antialias`.

    C is `spec.decoded`.

    `original` is the picture's own (height, width) where its decoder has scaled it down: the sample
    has the size that it would have without.

    Raises ImageTooLarge for a strip so narrow that nothing, or far too much, would be left of it.
    """
    height, width = original or pixels.shape[:2]
    size = spec.size_for(height, width)
    usual = spec.usual_size[0] * spec.usual_size[1]
    most = min(limits.max_pixels, MAX_RESIZED_PIXELS, _MOST_TIMES_USUAL * usual)
    if min(size) < 1 or size[0] * size[1] > most:
        raise ImageTooLarge(
            f"The image is {width} x {height} pixels and would be resized to {size[1]} x {size[0]} "
            f"where 1 to {most:,} pixels are possible. Send a less elongated picture."
        )
    sample = _resized(as_taken(pixels, spec.channels), spec, size)
    place = spec.place(height, width)
    if place is not None:
        sample = framed(sample, place, spec.usual_size, spec.fill)
    return sample.flip(0) if spec.order == "bgr" else sample


def _resized(pixels: Pixels, spec: WholePicture, size: Size) -> torch.Tensor:
    if spec.resize_by == "opencv":
        return resize_by_opencv(pixels, size)
    if not spec.filtered:
        return _blend(pixels, size)
    return resize_and_crop(
        pixels, size, crop=size, mode=spec.interpolation, resize_by=spec.resize_by
    )


def _blend(pixels: Pixels, size: Size) -> torch.Tensor:
    """Resize bilinearly without a filter, as `interpolate(align_corners=False)`: float32."""
    top, bottom, down = _neighbours(pixels.shape[0], size[0])
    left, right, across = _neighbours(pixels.shape[1], size[1])
    upper = _between(pixels[top[:, None], left], pixels[top[:, None], right], across[:, None])
    lower = _between(pixels[bottom[:, None], left], pixels[bottom[:, None], right], across[:, None])
    blended = _between(upper, lower, down[:, None, None]) / np.float32(255)
    return torch.from_numpy(blended).permute(2, 0, 1)


def _neighbours(
    given: int, wanted: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Give, for each of `wanted` places, the pixels before and after it, and how far it is on."""
    # In float32, as torch: in a wide picture the rounding of a place moves it a little.
    step, half = np.float32(given / wanted), np.float32(0.5)
    places = np.maximum((np.arange(wanted, dtype=np.float32) + half) * step - half, 0)
    before = np.minimum(places.astype(np.int64), given - 1)
    return before, np.minimum(before + 1, given - 1), (places - before).astype(np.float32)


def _between(
    first: NDArray[Any], second: NDArray[Any], share: NDArray[np.float32]
) -> NDArray[np.float32]:
    return np.asarray(first * (1 - share) + second * share, np.float32)
