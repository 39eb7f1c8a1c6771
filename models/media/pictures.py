"""Encoded bytes to upright pixels.

Decisions, each held by a test:

- EXIF orientation is applied: what a person sees upright is what the network sees.
- 16-bit samples are scaled to 8 bits (the high byte), not clipped.
- Alpha is dropped and the colours under it kept, as torchvision and PIL's convert("RGB") do.
- Grey pictures become three equal channels for a colour network; for a one-channel network
  colour becomes luma (BT.601) in the decoder.
- Of several frames or pages the first counts.
- A truncated picture is an error, even where a decoder would fill in the rest.
"""

from dataclasses import dataclass
from typing import cast

import numpy as np

from models.errors import ImageDecodeFailed
from models.media.formats import check_media, still_format
from models.media.memory import Pixels
from models.media.opencv import cv2
from models.record import Limits


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture.

    pixels: uint8 (h, w, channels), upright. width, height: of the upright original, in pixels;
    `pixels` may have fewer where the decoder was allowed to scale it down.
    """

    pixels: Pixels
    width: int
    height: int


def decode(data: bytes, channels: int, limits: Limits, _least: int | None = None) -> Picture:
    """Decode a still image to uint8 (height, width, channels), channels 3 (RGB) or 1 (grey).

    Raises UnsupportedMedia, ImageTooLarge (by the header, before any allocation) or
    ImageDecodeFailed. Safe to call from many threads; OpenCV lets go of the interpreter meanwhile.
    """
    check_media(data, limits)
    mode = cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR_RGB
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), mode)
    except cv2.error as err:
        raise _failed(data) from err
    # OpenCV's stub leaves out that imdecode answers None for what it cannot read.
    if pixels is None or pixels.dtype != np.uint8:
        raise _failed(data)
    whole = cast("Pixels", pixels if channels > 1 else pixels[:, :, np.newaxis])
    return Picture(whole, width=whole.shape[1], height=whole.shape[0])


def _failed(data: bytes) -> ImageDecodeFailed:
    return ImageDecodeFailed(
        f"The {still_format(data)} image of {len(data):,} bytes could not be decoded: it is "
        "truncated, corrupt or of a kind that is not supported. Open it in a viewer and save it "
        "again as JPEG or PNG."
    )
