"""Pixels to what a network takes, exactly as torchvision does it.

`to_sample` resizes and crops uint8 pixels with torchvision's own functions, and `normalise` does
the rest on whole batches where the network runs, so that only a quarter of the bytes travels to
the device. Together they equal `weights.transforms()` on a uint8 tensor bit for bit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import torch
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as tv

from models.decode import Pixels
from models.errors import ImageTooLarge, RecordError
from models.record import Limits

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


def check_channels(channels: int, scale: Scale) -> None:
    """Refuse other channels than 1 or 3, and scales that are not theirs; raises RecordError."""
    if channels not in (1, 3):
        raise RecordError("The record's preprocess.channels must be 1 or 3.")
    if not len(scale.mean) == len(scale.std) == channels or 0 in scale.std:
        raise RecordError("The record's preprocess needs one mean and one std (not 0) a channel.")


def to_sample(pixels: Pixels, spec: Preprocessing, limits: Limits) -> torch.Tensor:
    """Resize the shorter side and cut out the centre: uint8 (H, W, C) to (C, crop, crop).

    Raises ImageTooLarge for a strip so narrow that resizing it would blow it up past the limit.
    """
    height, width = pixels.shape[:2]
    shorter, longer = sorted((height, width))
    most = min(limits.max_pixels, MAX_RESIZED_PIXELS)
    if spec.resize * (spec.resize * longer // shorter) > most:
        raise ImageTooLarge(
            f"The image is {width} x {height} pixels: resized to {spec.resize} on its shorter "
            f"side it would pass {most:,} pixels. Send a less elongated picture."
        )
    if shorter == spec.resize:
        return _centre(pixels, spec.crop)
    image = torch.from_numpy(pixels).permute(2, 0, 1)
    image = tv.resize(
        image, [spec.resize], interpolation=spec.interpolation, antialias=spec.antialias
    )
    # A copy, so that the sample does not keep the whole picture in memory.
    cropped: torch.Tensor = tv.center_crop(image, [spec.crop])
    return cropped.clone(memory_format=torch.contiguous_format)


def _centre(pixels: Pixels, crop: int) -> torch.Tensor:
    """Cut out the centre as `tv.center_crop` does, of a picture that needs no resizing.

    Tiny pictures come by the thousand a second, and torch's calls would cost more than their work.
    """
    height, width = pixels.shape[:2]
    top, left = round((height - crop) / 2), round((width - crop) / 2)
    cut = pixels[top : top + crop, left : left + crop]
    # A copy if it is a part, so that the sample does not keep the whole picture in memory.
    return torch.from_numpy(np.ascontiguousarray(cut.transpose(2, 0, 1)))


def normalise(batch: torch.Tensor, spec: Scale) -> torch.Tensor:
    """Normalise each channel of (B, C, H, W): float32, channels last.

    uint8 is scaled to [0, 1] first; float32 lies there already and may be overwritten.
    """
    scaled = tv.convert_image_dtype(batch, torch.float)
    normal: torch.Tensor = tv.normalize(scaled, mean=spec.mean, std=spec.std, inplace=True)
    # The order in which oneDNN and cuDNN convolve natively.
    return normal.contiguous(memory_format=torch.channels_last)
