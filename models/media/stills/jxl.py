"""JPEG XL, by libjxl (imagecodecs); damage is noticed by its entropy coder's end state.

The size stands in the first bits and is read here, before the library sees the file. 16 bits become
their high byte; floating-point samples are refused.

Source: ISO/IEC 18181-1 (SizeHeader, ImageMetadata) and 18181-2 (boxes).
"""

import struct
from functools import partial

import numpy as np

from models.media.memory import Pixels
from models.media.stills.still import Still, as_channels, check_memory, undecodable, unsupported

_CODESTREAM = b"\xff\x0a"
_CONTAINER = b"\x00\x00\x00\x0cJXL \r\n\x87\n"
# Width over height where the header states only the height, by the number that stands for it.
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
_SIZE_BITS = (9, 13, 18, 30)
# Size, flags and orientation take 80 bits at most.
_HEADER_BYTES = 16
_MAX_BOXES = 1000


class _Bits:
    """Bits in the order in which JPEG XL packs them: the lowest of each byte first."""

    def __init__(self, data: bytes) -> None:
        self._rest = int.from_bytes(data, "little")

    def take(self, count: int) -> int:
        """Read a number of so many bits."""
        value = self._rest & (1 << count) - 1
        self._rest >>= count
        return value


def matches(data: bytes) -> bool:
    """Tell JPEG XL, bare or in a container, by its signature."""
    return data.startswith((_CODESTREAM, _CONTAINER))


def read(data: bytes) -> Still:
    """Read size and orientation; raises ImageDecodeFailed or struct.error."""
    start = 0 if data.startswith(_CODESTREAM) else _codestream_of(data)
    header = data[start + 2 : start + 2 + _HEADER_BYTES]
    if data[start : start + 2] != _CODESTREAM or len(header) < 3:
        raise undecodable("JPEG XL", "its code stream is missing")
    bits = _Bits(header)
    width, height = _size(bits)
    is_plain = bits.take(1)
    has_more = 0 if is_plain else bits.take(1)
    orientation = 1 + bits.take(3) if has_more else 1
    return Still(width, height, partial(_decode, data), orientation)


def _codestream_of(data: bytes) -> int:
    """Find the first box that holds code stream; gives the offset of the stream in bytes."""
    position = 0
    for _ in range(_MAX_BOXES):
        length, kind = struct.unpack_from(">I4s", data, position)
        header = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, position + 8)
            header = 16
        if kind in (b"jxlc", b"jxlp"):
            return position + header + (4 if kind == b"jxlp" else 0)
        if length < header:
            break
        position += length
    raise undecodable("JPEG XL", "its code stream is missing")


def _size(bits: _Bits) -> tuple[int, int]:
    is_small = bits.take(1)

    def side() -> int:
        if is_small:
            return 8 * (bits.take(5) + 1)
        return bits.take(_SIZE_BITS[bits.take(2)]) + 1

    height = side()
    ratio = bits.take(3)
    if ratio == 0:
        return side(), height
    across, down = _RATIOS[ratio]
    return height * across // down, height


def _decode(data: bytes, channels: int, _least: int | None) -> Pixels:
    import imagecodecs

    try:
        pixels = imagecodecs.jpegxl_decode(data, 0, keeporientation=True, numthreads=1)
    # The library's own error, which is a bare RuntimeError, and what it cannot shape.
    except (RuntimeError, ValueError) as err:
        check_memory(err)
        raise undecodable("JPEG XL") from err
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3):
        raise unsupported("JPEG XL", f"its samples are of the kind {pixels.dtype}")
    if pixels.ndim == 3:
        pixels = pixels[:, :, : 3 if pixels.shape[2] >= 3 else 1]
    return as_channels(np.ascontiguousarray(pixels), channels)
