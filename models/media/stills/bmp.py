"""BMP, by OpenCV's own reader; where masks say which bits are which colour, by ours.

OpenCV leaves out the masks behind a short header, and does not spread 5 bits over the whole range.
BMP has no checksum.

Source: Microsoft's BITMAPINFOHEADER and BITMAPV4HEADER.
"""

import struct
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.media.memory import Pixels
from models.media.stills.by_opencv import decode_with_opencv
from models.media.stills.still import Still, as_channels, undecodable, unsupported

_OS2_HEADER = 12
_RUN_LENGTHS = (1, 2)  # of 8 and of 4 bits
_BIT_FIELDS = (3, 6)  # of three colours, and of alpha too
_FILE_HEADER = 14
_MASKS = 54  # where they stand, whatever the header's version
_MASKS_OF_555 = (0x7C00, 0x03E0, 0x001F)


class _Header(NamedTuple):
    """What stands before the pixels; size and offset in bytes.

    height: negative when rows go from top to bottom.
    """

    size: int
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
    header = _Header(header_bytes, offset, width, height, bits, packing)
    return Still(width, abs(height), partial(_decode, data, header))


def _decode(data: bytes, header: _Header, channels: int, _least: int | None) -> Pixels:
    least_bytes = header.offset + header.row_bytes * abs(header.height)
    if header.packing not in _RUN_LENGTHS and len(data) < least_bytes:
        raise undecodable("BMP", "it has fewer bytes than its header states")
    if header.offset < _FILE_HEADER + header.size:
        raise undecodable("BMP", "its pixels begin inside its header")
    if header.bits == 16 or (header.bits == 32 and header.packing in _BIT_FIELDS):
        return as_channels(_by_masks(data, header), channels)
    return as_channels(decode_with_opencv(data, "BMP"), channels)


def _by_masks(data: bytes, header: _Header) -> Pixels:
    """Read pixels of two or four bytes, each colour in bits of its own."""
    masks = _MASKS_OF_555
    if header.packing in _BIT_FIELDS:
        masks = struct.unpack_from("<III", data, _MASKS)
    elif header.packing != 0:
        raise unsupported("BMP", f"it is compressed with method {header.packing}")
    height, width, pixel_bytes = abs(header.height), header.width, header.bits // 8
    count = height * header.row_bytes // pixel_bytes
    words = np.frombuffer(data, f"<u{pixel_bytes}", count, header.offset)
    rows = words.reshape(height, -1)[:, :width]
    if header.height > 0:
        rows = rows[::-1]
    pixels = np.empty((height, width, 3), np.uint8)
    for channel, mask in enumerate(masks):
        pixels[:, :, channel] = _of_8_bits(rows, mask, header.bits)
    return pixels


def _of_8_bits(rows: NDArray[np.unsignedinteger[Any]], mask: int, bits: int) -> Pixels:
    """Take the bits that a mask lets through, and spread them over the whole range."""
    if not 0 < mask < 1 << bits:
        raise undecodable("BMP", "its colour masks are none")
    shift = (mask & -mask).bit_length() - 1
    most = mask >> shift
    values = (rows & mask) >> shift
    if most > 255:
        return (values >> (most.bit_length() - 8)).astype(np.uint8)
    scale = ((np.arange(most + 1) * 255 + most // 2) // most).astype(np.uint8)
    return np.asarray(scale[values], np.uint8)
