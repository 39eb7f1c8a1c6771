"""What a format's file gives to the table: a picture that is ready to be decoded."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np

from models.media.memory import Pixels
from models.media.opencv import cv2
from models.records.errors import ImageDecodeFailed


@dataclass(frozen=True, slots=True)
class Still:
    """A picture whose header was read and found good; nothing is decoded yet.

    width, height: in pixels, as stored. orientation: as EXIF numbers it, 1 (upright) to 8.
    decode: (channels, least) -> uint8 (h, w, channels) as stored, channels 3 (RGB) or 1 (grey);
    raises ImageDecodeFailed. Its shorter side is at least `least` pixels; None asks for all.
    largest: (width, height) of the largest thing that decoding lays out, where one tile or canvas
    is larger than the picture.
    """

    width: int
    height: int
    decode: Callable[[int, int | None], Pixels]
    orientation: int = 1
    largest: tuple[int, int] = (0, 0)


def grey_of(rgb: Pixels) -> Pixels:
    """Give the luma of uint8 RGB (h, w, 3) as (h, w, 1): ITU-R BT.601, the same for all formats."""
    return cast("Pixels", cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))[:, :, np.newaxis]


def as_channels(pixels: Pixels, channels: int) -> Pixels:
    """Make uint8 grey (h, w) or (h, w, 1), or RGB (h, w, 3), have as many channels as asked."""
    if pixels.ndim == 2:
        pixels = pixels[:, :, np.newaxis]
    if pixels.shape[2] == channels:
        return pixels
    return grey_of(pixels) if channels == 1 else np.repeat(pixels, 3, axis=2)


def check_memory(err: Exception) -> None:
    """Tell a library's lack of memory from damage in the file; raises MemoryError."""
    said = str(err).lower()
    # libheif calls what is too much to be true a lack of memory.
    if "memory" in said and "security limit" not in said:
        raise MemoryError(str(err)) from err


def undecodable(kind: str, reason: str = "") -> ImageDecodeFailed:
    """Word the refusal of a picture that its decoder could not read, or not without loss."""
    return ImageDecodeFailed(
        f"The {kind} image could not be decoded: it is truncated or corrupt"
        f"{f' ({reason})' if reason else ''}. Open it in a viewer and save it again as JPEG or PNG."
    )


def unsupported(kind: str, what: str) -> ImageDecodeFailed:
    """Word the refusal of a picture that may be good, but of a kind that is not read."""
    return ImageDecodeFailed(
        f"The {kind} image is of a kind that is not supported: {what}. Save it as an ordinary "
        "JPEG or PNG."
    )
