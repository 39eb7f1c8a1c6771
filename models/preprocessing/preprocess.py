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
from models.preprocessing.resampling import Size, by_shorter_side, can_filter, resize_and_crop
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

    resize: int
    crop: int
    channels: int
    mean: list[float]
    std: list[float]
    interpolation: InterpolationMode = InterpolationMode.BILINEAR
    antialias: bool = True

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> Self:
        """Read the plain form; raises RecordError saying what is wrong."""
        try:
            mode = InterpolationMode(plain.get("interpolation", "bilinear"))
            read = cls(**{**plain, "interpolation": mode})
        except (TypeError, ValueError) as err:
            raise RecordError(f"The record's preprocess cannot be used: {err}.") from err
        if not 1 <= read.crop <= read.resize:
            raise RecordError("The record's preprocess needs 1 <= crop <= resize.")
        check_channels(read.channels, read)
        return read

    @property
    def least(self) -> int | None:
        """The shortest side that a decoder may scale a picture down to; None for not at all.

        Twice what is kept: the filter then looks at no less than two pixels for each of its own,
        and what it would have taken from finer ones is left of them. Without a filter each pixel of
        the sample is a blend of four of the original, which have to be there.
        """
        return 2 * self.resize if self.antialias and can_filter(self.interpolation) else None


def check_channels(channels: int, scale: Scale) -> None:
    """Refuse other channels than 1 or 3, and scales that are not theirs; raises RecordError."""
    if channels not in (1, 3):
        raise RecordError("The record's preprocess.channels must be 1 or 3.")
    if not len(scale.mean) == len(scale.std) == channels or 0 in scale.std:
        raise RecordError("The record's preprocess needs one mean and one std (not 0) a channel.")


def to_sample(
    pixels: Pixels, spec: Preprocessing, limits: Limits, original: Size | None = None
) -> torch.Tensor:
    """Resize the shorter side and cut out the centre: uint8 (H, W, C) to (C, crop, crop).

    `original` is the picture's own (height, width) where its decoder has scaled it down: the sample
    has the size, and shows the part, that it would have without.

    Raises ImageTooLarge for a strip so narrow that resizing it would blow it up past the limit.
    """
    height, width = original or pixels.shape[:2]
    size = by_shorter_side(height, width, spec.resize)
    most = min(limits.max_pixels, MAX_RESIZED_PIXELS)
    if size[0] * size[1] > most:
        raise ImageTooLarge(
            f"The image is {width} x {height} pixels: resized to {spec.resize} on its shorter "
            f"side it would pass {most:,} pixels. Send a less elongated picture."
        )
    crop = (spec.crop, spec.crop)
    return resize_and_crop(pixels, size, crop, spec.interpolation, spec.antialias)


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
