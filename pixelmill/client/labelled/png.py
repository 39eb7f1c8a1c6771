"""Class ids in a PNG: the numbers that it stores, not the colours that a palette makes of them.

Grey and palette, of 1 to 16 bits, as the PNG specification (ISO/IEC 15948) has them; read here
because common readers turn palettes into colours, and the client needs none of them otherwise.
"""

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixelmill.wire.errors import InvalidInput

# (h, w), of any unsigned integers.
Ids = NDArray[np.integer]
_Bytes = NDArray[np.uint8]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _PALETTE = 0, 3
_MOST_PIXELS = 1 << 28


def read_ids(path: Path) -> Ids:
    """Read the ids of a PNG file: (h, w); raises InvalidInput for any other file."""
    try:
        content = path.read_bytes()
    except OSError as err:
        raise InvalidInput(f"{path} cannot be read: {err.strerror or err}.") from err
    try:
        return _decoded(content)
    except (ValueError, IndexError, struct.error, zlib.error) as err:
        raise InvalidInput(
            f"{path} is no mask: {err}. Save class ids as a PNG, grey or with a palette."
        ) from err


def _decoded(content: bytes) -> Ids:
    if not content.startswith(_SIGNATURE):
        raise ValueError("it is no PNG")
    width, height, depth, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", content, 16)
    if colour not in (_GREY, _PALETTE):
        raise ValueError("it holds colours and no class ids")
    if interlaced:
        raise ValueError("it is interlaced")
    if not 0 < width * height <= _MOST_PIXELS or depth not in (1, 2, 4, 8, 16):
        raise ValueError("its header makes no sense")
    stride = -(-width * depth // 8)
    inflater = zlib.decompressobj()
    raw = inflater.decompress(_image_data(content), height * (stride + 1))
    if len(raw) != height * (stride + 1):
        raise ValueError("it is cut short")
    lines = np.frombuffer(raw, np.uint8).reshape(height, stride + 1)
    return _unpacked(_unfiltered(lines, max(1, depth // 8)), width, depth)


def _image_data(content: bytes) -> bytes:
    parts, place = [], len(_SIGNATURE)
    while place + 8 <= len(content):
        (length,) = struct.unpack_from(">I", content, place)
        if content[place + 4 : place + 8] == b"IDAT":
            parts.append(content[place + 8 : place + 8 + length])
        place += length + 12
    return b"".join(parts)


def _unfiltered(lines: _Bytes, step: int) -> _Bytes:
    """Undo the filter of each line; `step` is the number of bytes of a pixel."""
    found = np.zeros((len(lines), lines.shape[1] - 1), np.uint8)
    before = np.zeros(lines.shape[1] - 1, np.uint8)
    for number, line in enumerate(lines):
        before = found[number] = _line(int(line[0]), line[1:], before, step)
    return found


def _line(kind: int, line: _Bytes, above: _Bytes, step: int) -> _Bytes:
    if kind == 0:
        return line
    if kind == 1:
        padded = np.pad(line, (0, -len(line) % step)).reshape(-1, step)
        return padded.cumsum(axis=0, dtype=np.uint8).ravel()[: len(line)]
    if kind == 2:
        return line + above
    if kind not in (3, 4):
        raise ValueError("it has a filter that there is not")
    return _line_by_neighbours(kind, line.tolist(), above.tolist(), step)


def _line_by_neighbours(kind: int, line: list[int], above: list[int], step: int) -> _Bytes:
    """Undo a filter that hangs on the pixel before, one byte after the other."""
    found = [0] * step
    corner = [0] * step + above
    for place, (value, up) in enumerate(zip(line, above, strict=True)):
        left = found[place]
        guess = (left + up) // 2 if kind == 3 else _paeth(left, up, corner[place])
        found.append((value + guess) & 0xFF)
    return np.array(found[step:], np.uint8)


def _paeth(left: int, up: int, corner: int) -> int:
    by_left, by_up, by_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
    if by_left <= by_up and by_left <= by_corner:
        return left
    return up if by_up <= by_corner else corner


def _unpacked(lines: _Bytes, width: int, depth: int) -> Ids:
    if depth == 16:
        return lines.reshape(len(lines), -1, 2).astype(np.uint16) @ np.array([256, 1], np.uint16)
    if depth == 8:
        return lines
    bits = np.unpackbits(lines, axis=1).reshape(len(lines), -1, depth)
    return (bits @ (1 << np.arange(depth)[::-1]))[:, :width].astype(np.uint8)
