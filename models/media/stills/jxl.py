"""JPEG XL, by libjxl (imagecodecs); damage is noticed by its entropy coder's end state.

The size stands in the first bits and is read here, before the library sees the file, and so is how
many bits a sample has, which the library does not tell. More than 8 bits become their high byte,
fewer are spread over the whole range; floating-point samples are refused.

Source: ISO/IEC 18181-1 (SizeHeader, ImageMetadata) and 18181-2 (boxes).
"""

import struct
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.media.memory import Pixels
from models.media.stills.still import Still, as_channels, check_memory, undecodable, unsupported

_CODESTREAM = b"\xff\x0a"
_CONTAINER = b"\x00\x00\x00\x0cJXL \r\n\x87\n"
# Width over height where the header states only the height, by the number that stands for it.
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
_SIZE_BITS = (9, 13, 18, 30)
# What a choice of two bits stands for: so many bits are read, and so much is added to them.
_DEPTHS = ((0, 8), (0, 10), (0, 12), (6, 1))
_PREVIEW_SIDES = ((6, 1), (8, 65), (10, 321), (12, 1345))
_PREVIEW_EIGHTHS = ((0, 16), (0, 32), (5, 1), (9, 33))
_TICKS = ((0, 100), (0, 1000), (10, 1), (30, 1))
_TICK_PARTS = ((0, 1), (0, 1001), (8, 1), (10, 1))
_LOOPS = ((0, 0), (3, 0), (16, 0), (32, 0))
# Size, flags, orientation, preview, animation and depth take 300 bits at most.
_HEADER_BYTES = 64
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

    def choose(self, choices: tuple[tuple[int, int], ...]) -> int:
        """Read a number that is written in one of four ways."""
        count, least = choices[self.take(2)]
        return self.take(count) + least


def matches(data: bytes) -> bool:
    """Tell JPEG XL, bare or in a container, by its signature."""
    return data.startswith((_CODESTREAM, _CONTAINER))


def read(data: bytes) -> Still:
    """Read size, orientation and depth; raises ImageDecodeFailed or struct.error."""
    header = _beginning_of(data)
    if not header.startswith(_CODESTREAM) or len(header) < 5:
        raise undecodable("JPEG XL", "its code stream is missing")
    bits = _Bits(header[2:])
    width, height = _size(bits)
    is_plain = bits.take(1)
    orientation = 1 if is_plain else _orientation(bits)
    # Of floating-point samples the library gives numbers of their own kind, whatever their depth.
    depth = 8 if is_plain or bits.take(1) else bits.choose(_DEPTHS)
    return Still(width, height, partial(_decode, data, depth), orientation)


def _beginning_of(data: bytes) -> bytes:
    """Give the first bytes of the code stream, which may lie in boxes, in several parts."""
    if data.startswith(_CODESTREAM):
        return data[:_HEADER_BYTES]
    found, position = b"", 0
    for _ in range(_MAX_BOXES):
        if found and position + 8 > len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, position)
        header = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, position + 8)
            header = 16
        end = position + length if length else len(data)
        if kind in (b"jxlc", b"jxlp"):
            start = position + header + (4 if kind == b"jxlp" else 0)
            found += data[start : min(end, start + _HEADER_BYTES)]
        if length < header or kind == b"jxlc" or len(found) >= _HEADER_BYTES:
            break
        position = end
    return found[:_HEADER_BYTES]


def _orientation(bits: _Bits) -> int:
    """Read the extra fields, as far as there are any, to their end; gives EXIF's number."""
    if not bits.take(1):
        return 1
    orientation = 1 + bits.take(3)
    if bits.take(1):
        _size(bits)
    if bits.take(1):
        _pass_over_preview(bits)
    if bits.take(1):
        for choices in (_TICKS, _TICK_PARTS, _LOOPS):
            bits.choose(choices)
        bits.take(1)
    return orientation


def _pass_over_preview(bits: _Bits) -> None:
    sides = _PREVIEW_EIGHTHS if bits.take(1) else _PREVIEW_SIDES
    bits.choose(sides)
    if bits.take(3) == 0:
        bits.choose(sides)


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


def _decode(data: bytes, depth: int, channels: int, _least: int | None) -> Pixels:
    import imagecodecs

    try:
        pixels = imagecodecs.jpegxl_decode(data, 0, keeporientation=True, numthreads=1)
    # The library's own error, which is a bare RuntimeError, and what it cannot shape.
    except (RuntimeError, ValueError) as err:
        check_memory(err)
        raise undecodable("JPEG XL") from err
    if pixels.dtype in (np.uint8, np.uint16):
        pixels = _of_8_bits(pixels, depth)
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3):
        raise unsupported("JPEG XL", f"its samples are of the kind {pixels.dtype}")
    if pixels.ndim == 3:
        pixels = pixels[:, :, : 3 if pixels.shape[2] >= 3 else 1]
    return as_channels(np.ascontiguousarray(pixels), channels)


def _of_8_bits(samples: NDArray[np.unsignedinteger[Any]], depth: int) -> Pixels:
    if depth == 8:
        return np.asarray(samples, np.uint8)
    if depth > 8:
        return np.asarray(np.right_shift(samples, depth - 8), np.uint8)
    most = 2**depth - 1
    spread = (np.minimum(samples, most).astype(np.uint16) * 255 + most // 2) // most
    return np.asarray(spread, np.uint8)
