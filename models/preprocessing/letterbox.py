"""Letterboxes: a picture in its own proportions inside a sample of a fixed size, grey around it.

    ┌─────────────┐      ┌─────────────┐
    │   (grey)    │      │   picture   │
    │   picture   │      │             │
    │   (grey)    │      │   (grey)    │
    └─────────────┘      └─────────────┘
        center               corner

Networks have learned from their trainer's letterbox, to the pixel. The two here are published:
`center` is that of YOLOv5 to YOLO11 (Ultralytics' LetterBox, with `auto` off), `corner` that of
YOLOX. They differ in where the picture lies, and in how they round its size.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from models.media.memory import Pixels
from models.media.opencv import cv2
from models.preprocessing.resampling import Size


@dataclass(frozen=True, slots=True)
class Placement:
    """Where in a sample the picture lies, in pixels of the sample."""

    top: int
    left: int
    height: int
    width: int


def at_center(picture: Size, sample: Size) -> Placement:
    """Place as Ultralytics' LetterBox: sides rounded half to even, the odd pixel of grey below."""
    scale = min(sample[0] / picture[0], sample[1] / picture[1])
    height, width = round(picture[0] * scale), round(picture[1] * scale)
    top, left = (sample[0] - height) / 2, (sample[1] - width) / 2
    return Placement(round(top - 0.1), round(left - 0.1), height, width)


def at_corner(picture: Size, sample: Size) -> Placement:
    """Place as YOLOX: sides rounded down, at the top left."""
    scale = min(sample[0] / picture[0], sample[1] / picture[1])
    return Placement(0, 0, int(picture[0] * scale), int(picture[1] * scale))


ALIGNMENTS: Final[Mapping[str, Callable[[Size, Size], Placement]]] = {
    "center": at_center,
    "corner": at_corner,
}


def framed(picture: torch.Tensor, place: Placement, sample: Size, fill: int) -> torch.Tensor:
    """Put (C, h, w), of the placement's size, into a new sample (C, H, W) of the same dtype.

    `fill` is 0 to 255, whatever the dtype: float32 pixels lie in [0, 1].
    """
    value = fill if picture.dtype == torch.uint8 else fill / 255
    pixels = picture.permute(1, 2, 0).numpy()
    canvas = np.full((*sample, pixels.shape[2]), value, pixels.dtype)
    canvas[place.top : place.top + place.height, place.left : place.left + place.width] = pixels
    return torch.from_numpy(canvas).permute(2, 0, 1)


def resize_by_opencv(pixels: Pixels, size: Size) -> torch.Tensor:
    """Resize uint8 (H, W, C) to (C, h, w) as cv2.INTER_LINEAR does: each a blend of four pixels."""
    if pixels.shape[:2] == size:
        return torch.from_numpy(pixels).permute(2, 0, 1)
    resized = cv2.resize(
        np.ascontiguousarray(pixels), (size[1], size[0]), interpolation=cv2.INTER_LINEAR
    )
    with_channels = resized.reshape(*size, pixels.shape[2])  # OpenCV drops a single one
    return torch.from_numpy(with_channels).permute(2, 0, 1)
