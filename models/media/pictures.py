"""Encoded bytes to upright pixels: one set of rules for all formats, each held by a test.

- EXIF orientation is applied: what a person sees upright is what the network sees.
- 16-bit samples are scaled to 8 bits (the high byte), not clipped.
- Alpha is dropped and the colours under it kept, as torchvision and PIL's convert("RGB") do.
- Profiles, gamma and chromaticities change nothing: pixels are taken as they are stored
  (docs/decisions/0007-colour-profiles-are-left-alone.md has the figures).
- Grey pictures become three equal channels for a colour network; for a one-channel network
  colour becomes luma (BT.601).
- Of several frames or pages the first counts.
- A truncated picture is an error, even where a decoder would fill in the rest.
"""

import struct
from dataclasses import dataclass

import numpy as np

from models.media.formats import open_still
from models.media.memory import Pixels
from models.media.opencv import cv2
from models.media.stills.still import Still, undecodable
from models.records.errors import ImageDecodeFailed
from models.records.record import Limits

# By what a decoder may divide both sides.
_PARTS = (1, 2, 4, 8)
# The orientations of EXIF that swap width and height.
_SIDEWAYS = (5, 6, 7, 8)


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture.

    pixels: uint8 (h, w, channels), upright. width, height: of the upright original, in pixels;
    `pixels` may have fewer where the decoder was allowed to scale it down.
    """

    pixels: Pixels
    width: int
    height: int


def decode(data: bytes, channels: int, limits: Limits, least: int | None = None) -> Picture:
    """Decode a still image to uint8 (height, width, channels), channels 3 (RGB) or 1 (grey).

    least: where the format can be scaled down on the way, it may be, as long as the shorter side
    keeps at least so many pixels; None decodes exactly. Raises UnsupportedMedia, ImageTooLarge (by
    the header, before any allocation), ImageDecodeFailed or DecoderFault. Safe to call from many
    threads; decoders let go of the interpreter meanwhile.
    """
    kind, still = open_still(data, limits)
    try:
        pixels = still.decode(channels, least)
    except (struct.error, IndexError) as err:
        raise undecodable(kind, "it ends inside its structure") from err
    _check_shape(pixels, kind, still, channels, least)
    width, height = still.width, still.height
    if still.orientation in _SIDEWAYS:
        width, height = height, width
    return Picture(_upright(pixels, still.orientation), width, height)


def _check_shape(pixels: Pixels, kind: str, still: Still, channels: int, least: int | None) -> None:
    """Hold what the decoder gave against what the header said; raises ImageDecodeFailed."""
    height, width = pixels.shape[:2]
    parts = (1,) if least is None else _PARTS
    is_enough = (still.width, still.height) in [(width * each, height * each) for each in parts]
    if pixels.dtype != np.uint8 or pixels.shape[2:] != (channels,) or not is_enough:
        raise ImageDecodeFailed(
            f"The {kind} image states a size of {still.width} x {still.height} pixels and decodes "
            f"to {width} x {height}. Save it again as JPEG or PNG."
        )


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """Turn and mirror stored pixels (h, w, channels) as EXIF's orientation says."""
    if orientation == 1:
        return pixels
    turned = {
        2: lambda: cv2.flip(pixels, 1),
        3: lambda: cv2.rotate(pixels, cv2.ROTATE_180),
        4: lambda: cv2.flip(pixels, 0),
        5: lambda: cv2.transpose(pixels),
        6: lambda: cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE),
        7: lambda: cv2.flip(cv2.transpose(pixels), -1),
        8: lambda: cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE),
    }[orientation]()
    # OpenCV leaves out the axis of a single channel.
    return turned.view("uint8").reshape(*turned.shape[:2], pixels.shape[2])
