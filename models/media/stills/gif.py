"""GIF: the first frame on its canvas, its indices unpacked by Pillow, its colours looked up here.

A transparent pixel keeps the colour of its palette, as in PNG; where the frame does not reach, the
canvas has the background colour that the file names. Where the canvas does not hold the frame, the
frame is the picture, as browsers have it. A missing trailer is no harm: the frame has an end of its
own. GIF has no checksum.

Source: GIF89a specification.
"""

import io
import struct
from functools import partial
from typing import NamedTuple

import numpy as np

from models.media.memory import Pixels
from models.media.stills.still import Still, as_channels, undecodable, unsupported

_EXTENSION, _FRAME, _TRAILER = b"!", b",", b";"
_HEADER = 13
_MAX_CODE_BITS = 8
_MAX_BLOCKS = 1_000_000


class _Frame(NamedTuple):
    """The first frame; offsets in bytes, the rest in pixels. palette: its bytes."""

    left: int
    top: int
    width: int
    height: int
    flags: int
    palette: bytes
    start: int
    end: int


def matches(data: bytes) -> bool:
    """Tell a GIF by its signature."""
    return data[:6] in (b"GIF87a", b"GIF89a")


def read(data: bytes) -> Still:
    """Read the logical screen and the first frame's place; ImageDecodeFailed or struct.error."""
    width, height, flags, background = struct.unpack_from("<HHBB", data, 6)
    shared = data[_HEADER : _HEADER + _palette_bytes(flags)]
    frame = _first_frame(data, _HEADER + len(shared), shared)
    if frame.left + frame.width > width or frame.top + frame.height > height:
        width, height = frame.width, frame.height
        frame = frame._replace(left=0, top=0)
    ground = _colours(shared)[background]
    return Still(width, height, partial(_decode, data, frame, (height, width), ground))


def _decode(
    data: bytes,
    frame: _Frame,
    canvas: tuple[int, int],
    ground: Pixels,
    channels: int,
    _least: int | None,
) -> Pixels:
    indices = _indices(data, frame)
    if not frame.palette:
        raise unsupported("GIF", "it has no palette")
    palette = _colours(frame.palette)
    pixels = palette[indices]
    if (frame.height, frame.width) != canvas:
        whole = np.empty((*canvas, 3), np.uint8)
        whole[:] = ground
        bottom, right = frame.top + frame.height, frame.left + frame.width
        whole[frame.top : bottom, frame.left : right] = pixels
        pixels = whole
    return as_channels(pixels, channels)


def _first_frame(data: bytes, position: int, shared: bytes) -> _Frame:
    """Pass over extensions up to the first frame; raises ImageDecodeFailed."""
    for _ in range(_MAX_BLOCKS):
        kind = data[position : position + 1]
        if kind == _FRAME:
            left, top, width, height, flags = struct.unpack_from("<HHHHB", data, position + 1)
            own = data[position + 10 : position + 10 + _palette_bytes(flags)]
            start = position + 10 + len(own)
            if not data[start : start + 1] or not 1 <= data[start] <= _MAX_CODE_BITS:
                raise undecodable("GIF", "its codes have no size")
            end = _end_of_blocks(data, start + 1)
            return _Frame(left, top, width, height, flags, own or shared, start, end)
        if kind != _EXTENSION:
            break
        position = _end_of_blocks(data, position + 2)
    raise undecodable("GIF", "it has no frame")


def _end_of_blocks(data: bytes, position: int) -> int:
    """Give the place behind a row of blocks, each with its length before it."""
    while position < len(data) and data[position]:
        position += 1 + data[position]
    if position >= len(data):
        raise undecodable("GIF", "it ends inside its first frame")
    return position + 1


def _indices(data: bytes, frame: _Frame) -> Pixels:
    """Unpack the frame alone, as a GIF of its own with a palette of greys."""
    from PIL import GifImagePlugin

    greys = bytes(range(256))
    screen = struct.pack("<6sHHBBB", b"GIF89a", frame.width, frame.height, 0xF7, 0, 0)
    place = struct.pack("<cHHHHB", _FRAME, 0, 0, frame.width, frame.height, frame.flags & 0x40)
    palette = np.repeat(np.frombuffer(greys, np.uint8), 3).tobytes()
    file = b"".join([screen, palette, place, data[frame.start : frame.end], _TRAILER])
    try:
        with GifImagePlugin.GifImageFile(io.BytesIO(file)) as image:
            image.load()
            indices = np.asarray(image)
    except (OSError, ValueError, SyntaxError, IndexError) as err:
        raise undecodable("GIF", str(err).rstrip(".")) from err
    if indices.shape != (frame.height, frame.width) or indices.dtype != np.uint8:
        raise undecodable("GIF")
    return indices


def _palette_bytes(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _colours(palette: bytes) -> Pixels:
    """Give uint8 (256, 3); what the palette does not name is black."""
    return np.frombuffer(palette.ljust(768, b"\0"), np.uint8)[:768].reshape(256, 3)
