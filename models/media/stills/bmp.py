"""BMP, by OpenCV's own reader. BMP has no checksum.

Source: Microsoft's BITMAPINFOHEADER.
"""

import struct
from functools import partial

from models.media.memory import Pixels
from models.media.stills.by_opencv import decode_with_opencv
from models.media.stills.still import Still, as_channels, undecodable

_OS2_HEADER = 12
_PACKED = (1, 2)  # run lengths, of 8 and of 4 bits


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
    least_bytes = (width * bits + 31) // 32 * 4 * abs(height)
    is_short = packing not in _PACKED and len(data) < offset + least_bytes
    return Still(width, abs(height), partial(_decode, data, is_short))


def _decode(data: bytes, is_short: bool, channels: int, _least: int | None) -> Pixels:
    if is_short:
        raise undecodable("BMP", "it has fewer bytes than its header states")
    return as_channels(decode_with_opencv(data, "BMP"), channels)
