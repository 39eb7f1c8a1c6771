"""Pixels to what a network takes, as torchvision does it.

`to_sample` resizes and crops uint8 pixels (`resampling`), and `normalise` does the rest on
whole batches where the network runs, so that only a quarter of the bytes travels to the device.
Together they are `weights.transforms()` on a uint8 tensor.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

import torch
from torchvision.transforms import InterpolationMode

from models.media.memory import Pixels
from models.preprocessing.members import check_members, mode_of
from models.preprocessing.resampling import (
    CropRounding,
    ResizeBy,
    Size,
    as_taken,
    by_shorter_side,
    can_filter,
    decoded_channels,
    resize_and_crop,
)
from models.records.errors import ImageTooLarge, RecordError
from models.records.record import Limits

# torch takes about 24 bytes a pixel while it resizes: a strip of 1 x 15,000 pixels, enlarged to 256
# on its shorter side, ended a process at 24 GB. This many pixels stay under 0.4 GB a thread.
MAX_RESIZED_PIXELS = 16_000_000


class Scale(Protocol):
    """How values of [0, 1] are normalised: one mean and one deviation a channel."""

    @property
    def mean(self) -> list[float]:
        """What is subtracted."""

    @property
    def std(self) -> list[float]:
        """What the rest is divided by."""


@dataclass(frozen=True)
class Preprocessing:
    """A record's `preprocess` for still images, read and checked (fields: see ModelRecord)."""

    resize: int | list[int]
    crop: int | list[int]
    channels: int
    mean: list[float]
    std: list[float]
    interpolation: InterpolationMode = InterpolationMode.BILINEAR
    antialias: bool = True
    resize_by: ResizeBy = "torchvision"
    crop_rounding: CropRounding = "even"

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> Self:
        """Read the plain form; raises RecordError saying what is wrong."""
        check_members(plain, cls, "pictures that are cropped (classification, embedding)")
        mode = mode_of(plain)
        try:
            read = cls(**{**plain, "interpolation": mode})
            fits = all(
                1 <= cut <= side for cut, side in zip(read.crop_size, read.least_size, strict=True)
            )
        except (TypeError, ValueError) as err:
            raise RecordError(f"The record's preprocess cannot be used: {err}.") from err
        if not fits:
            raise RecordError("The record's preprocess needs 1 <= crop <= resize.")
        if read.resize_by not in ("torchvision", "pillow"):
            raise RecordError(
                f"The record's preprocess.resize_by is {read.resize_by!r}; it must be "
                "'torchvision' or 'pillow'."
            )
        if mode is InterpolationMode.LANCZOS and read.resize_by != "pillow":
            raise RecordError("The record's preprocess.interpolation 'lanczos' is Pillow's alone.")
        check_channels(read.channels, read)
        return read

    @property
    def decoded(self) -> int:
        """How many channels a picture is decoded to (`decoded_channels`)."""
        return decoded_channels(self.channels, self.resize_by)

    @property
    def crop_size(self) -> Size:
        """Height and width of what is cut out of the centre."""
        return _pair(self.crop)

    @property
    def least_size(self) -> Size:
        """The least height and width that a picture has after it was resized."""
        return _pair(self.resize)

    def size_for(self, height: int, width: int) -> Size:
        """Say how large a picture of this size becomes before it is cropped."""
        if isinstance(self.resize, int):
            return by_shorter_side(height, width, self.resize)
        return self.least_size

    @property
    def least(self) -> int | None:
        """The shortest side that a decoder may scale a picture down to; None for not at all.

        Twice what is kept: the filter then looks at no less than two pixels for each of its own,
        and what it would have taken from finer ones is left of them. Without a filter each pixel of
        the sample is a blend of four of the original, which have to be there.
        """
        filters = self.resize_by == "pillow" or self.antialias
        is_filtered = filters and can_filter(self.interpolation)
        return 2 * max(self.least_size) if is_filtered else None


def _pair(sides: int | list[int]) -> Size:
    """Read one number for both sides, or [height, width]; raises ValueError for another count."""
    height, width = (sides, sides) if isinstance(sides, int) else sides
    return height, width


def check_channels(channels: int, scale: Scale) -> None:
    """Refuse other channels than 1 or 3, and scales that are not theirs; raises RecordError."""
    if channels not in (1, 3):
        raise RecordError("The record's preprocess.channels must be 1 or 3.")
    if not len(scale.mean) == len(scale.std) == channels or 0 in scale.std:
        raise RecordError("The record's preprocess needs one mean and one std (not 0) a channel.")


def to_sample(
    pixels: Pixels, spec: Preprocessing, limits: Limits, original: Size | None = None
) -> torch.Tensor:
    """Resize a picture and cut out its centre: uint8 (H, W, C) to (channels, *crop).

    C is `spec.decoded`.

    `original` is the picture's own (height, width) where its decoder has scaled it down: the sample
    has the size, and shows the part, that it would have without.

    Raises ImageTooLarge for a strip so narrow that resizing it would blow it up past the limit.
    """
    height, width = original or pixels.shape[:2]
    size = spec.size_for(height, width)
    most = min(limits.max_pixels, MAX_RESIZED_PIXELS)
    if size[0] * size[1] > most:
        raise ImageTooLarge(
            f"The image is {width} x {height} pixels: resized to {spec.resize} on its shorter "
            f"side it would pass {most:,} pixels. Send a less elongated picture."
        )
    return resize_and_crop(
        as_taken(pixels, spec.channels),
        size,
        spec.crop_size,
        spec.interpolation,
        spec.antialias,
        spec.crop_rounding,
        spec.resize_by,
    )


def normalise(batch: torch.Tensor, spec: Scale) -> torch.Tensor:
    """Normalise each channel of (B, C, h, w): float32, channels last.

    uint8 is scaled to [0, 1] first; float32 lies there already and may be overwritten.
    """
    # The order in which oneDNN and cuDNN convolve natively.
    normal = batch.to(torch.float32, memory_format=torch.channels_last)
    # Whole lines of a picture at a time: operations on three channels are slow by themselves.
    lines = normal.permute(0, 2, 3, 1).flatten(2)
    # Made here and sent after: a tensor made there would be waited for, and all before it.
    mean, std = (
        torch.tensor(each).repeat(batch.shape[3]).to(batch.device, non_blocking=True)
        for each in (spec.mean, spec.std)
    )
    if batch.dtype == torch.uint8:
        lines.div_(255)
    lines.sub_(mean).div_(std)
    return normal
