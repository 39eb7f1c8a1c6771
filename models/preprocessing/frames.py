"""Frames of videos to what a network takes, exactly as torchvision's video presets do it.

A record's `preprocess` for a network that takes videos, as plain JSON data: `channels` (1 or 3),
`mean` and `std` (one number a channel, for values in [0, 1]), `interpolation`, `antialias` (their
presets have none), and

- `resize`: [height, width], or [pixels of the shorter side]; `crop`: [height, width] of the centre
- `fps`: frames a second that the network was trained with
- `window`: frames that it was trained to answer for; `windows`: [least, most] that it can take
- `carries`: whether it carries a state from step to step (models/tasks/task.py: `Windows`)

A frame is resized and cropped as soon as it is decoded, so that what waits for the network is
small; it is normalised where the network runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torchvision.transforms import InterpolationMode

from models.media.memory import Pixels
from models.media.opencv import cv2
from models.preprocessing.members import check_members, mode_of
from models.preprocessing.preprocess import MAX_RESIZED_PIXELS, check_channels
from models.preprocessing.resampling import (
    CropRounding,
    ResizeBy,
    as_taken,
    by_shorter_side,
    resize_and_crop,
)
from models.records.errors import ImageTooLarge, RecordError
from models.records.record import Limits
from models.records.windows import MAX_WINDOW


@dataclass(frozen=True)
class FramePreprocessing:
    """A record's `preprocess` for videos, read and checked."""

    resize: list[int]
    crop: list[int]
    channels: int
    mean: list[float]
    std: list[float]
    fps: float
    window: int
    windows: list[int]
    carries: bool = False
    interpolation: InterpolationMode = InterpolationMode.BILINEAR
    antialias: bool = False
    crop_rounding: CropRounding = "even"
    resize_by: ResizeBy = "torchvision"

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> Self:
        """Read the plain form; raises RecordError saying what is wrong."""
        check_members(plain, cls, "frames of videos")
        mode = mode_of(plain)
        try:
            read = cls(**{**plain, "interpolation": mode})
            check_channels(read.channels, read)
            _check_numbers(read)
        except (TypeError, ValueError) as err:
            raise RecordError(f"The record's preprocess cannot be used: {err}.") from err
        return read


def to_frame(pixels: Pixels, spec: FramePreprocessing, limits: Limits) -> torch.Tensor:
    """Resize a frame and cut out its centre: uint8 RGB (h, w, 3) to (channels, *crop).

    Raises ImageTooLarge for a strip so narrow that resizing it would blow it up past the limit.
    """
    height, width = pixels.shape[:2]
    sides = spec.resize
    size = (sides[0], sides[1]) if len(sides) == 2 else by_shorter_side(height, width, sides[0])
    most = min(limits.max_pixels, MAX_RESIZED_PIXELS)
    if size[0] * size[1] > most:
        raise ImageTooLarge(
            f"The video's frames are {width} x {height} pixels: resized to {size[1]} x {size[0]} "
            f"they would pass {most:,} pixels. Send a less elongated video."
        )
    if spec.channels == 1 and spec.resize_by == "pillow":
        pixels = as_taken(pixels, 1)
    elif spec.channels == 1:
        pixels = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)[..., None]
    crop = (spec.crop[0], spec.crop[1])
    return resize_and_crop(
        pixels,
        size,
        crop,
        spec.interpolation,
        spec.antialias,
        spec.crop_rounding,
        spec.resize_by,
    )


def _check_numbers(spec: FramePreprocessing) -> None:
    if len(spec.resize) not in (1, 2) or len(spec.crop) != 2:
        raise RecordError("The record's preprocess needs resize and crop as [height, width].")
    if not all(1 <= cut <= side for cut, side in zip(spec.crop, _sides(spec), strict=True)):
        raise RecordError("The record's preprocess needs 1 <= crop <= resize.")
    if len(spec.windows) != 2 or not 1 <= spec.windows[0] <= spec.window <= spec.windows[1]:
        raise RecordError("The record's preprocess needs 1 <= windows[0] <= window <= windows[1].")
    if spec.windows[1] > MAX_WINDOW or spec.fps <= 0:
        raise RecordError(
            f"The record's preprocess needs windows of at most {MAX_WINDOW} frames and fps above 0."
        )


def _sides(spec: FramePreprocessing) -> list[int]:
    return spec.resize if len(spec.resize) == 2 else spec.resize * 2
