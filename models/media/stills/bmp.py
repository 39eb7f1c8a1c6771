"""BMP, by OpenCV's own reader; of 16 bits a pixel by ours, which spreads them over the whole range.

BMP has no checksum.

Source: Microsoft's BITMAPINFOHEADER and BITMAPV4HEADER.
"""

import struct
from functools import partial
from typing import NamedTuple

import numpy as np

from models.media.memory import Pixels
from models.media.stills.by_opencv import decode_with_opencv
from models.media.stills.still import Still, as_channels, undecodable, unsupported

_OS2_HEADER = 12
_RUN_LENGTHS = (1, 2)  # of 8 and of 4 bits
_BIT_FIELDS = 3
_MASKS = 54  # where they stand, whatever the header's version
_MASKS_OF_555 = (0x7C00, 0x03E0, 0x001F)


class _Header(NamedTuple):
    """What stands before the pixels. height: negative when rows go from top to bottom."""

    offset: int
    width: int
    height: int
    bits: int
    packing: int

    @property
    def row_bytes(self) -> int:
        """Bytes of one row, filled up to four."""
        return (self.width * self.bits + 31) // 32 * 4


def matches(data: bytes) -> bool:
    """Tell a BMP by its first two bytes."""
    return data.startswith(b"BM")


def read(data: bytes) -> Still:
    """Read the information header; a negative height only means top-down rows."""
    offset, header_bytes = struct.unpack_from("<II", data, 10)
    packing = 0
    if header_bytes == _OS2_HEADER:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
    else:
        width, height, _, bits, packing = struct.unpack_from("<iiHHI", data, 18)
    header = _Header(offset, width, height, bits, packing)
    return Still(width, abs(height), partial(_decode, data, header))


def _decode(data: bytes, header: _Header, channels: int, _least: int | None) -> Pixels:
    least_bytes = header.offset + header.row_bytes * abs(header.height)
    if header.packing not in _RUN_LENGTHS and len(data) < least_bytes:
        raise undecodable("BMP", "it has fewer bytes than its header states")
    if header.bits == 16:
        return as_channels(_of_16_bits(data, header), channels)
    return as_channels(decode_with_opencv(data, "BMP"), channels)


def _of_16_bits(data: bytes, header: _Header) -> Pixels:
    """Read pixels that are packed into two bytes."""
    masks = _MASKS_OF_555
    if header.packing == _BIT_FIELDS:
        masks = struct.unpack_from("<III", data, _MASKS)
    elif header.packing != 0:
        raise unsupported("BMP", f"it is compressed with method {header.packing}")
    height, width = abs(header.height), header.width
    count = height * header.row_bytes // 2
    rows = np.frombuffer(data, "<u2", count, header.offset).reshape(height, -1)[:, :width]
    if header.height > 0:
        rows = rows[::-1]
    pixels = np.empty((height, width, 3), np.uint8)
    for channel, mask in enumerate(masks):
        pixels[:, :, channel] = _scale_of(mask)[(rows & mask) >> _shift_of(mask)]
    return pixels


def _shift_of(mask: int) -> int:
    if not 0 < mask < 1 << 16:
        raise undecodable("BMP", "its colour masks are none")
    return (mask & -mask).bit_length() - 1


def _scale_of(mask: int) -> Pixels:
    """Give the 8 bits for each value that a mask lets through."""
    most = mask >> _shift_of(mask)
    return ((np.arange(most + 1) * 255 + most // 2) // most).astype(np.uint8)
