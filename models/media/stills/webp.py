"""WebP, by libwebp (OpenCV), from the picture's own chunk alone.

Profiles, transparency and animation never reach the decoder. Of an animation the first frame
counts, on its canvas: black where the frame does not reach. WebP has no checksum; damage shows in
that the picture ends too soon, or too late.

Source: RFC 9649.
"""

import struct
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from models.media.memory import Pixels
from models.media.stills.by_opencv import decode_with_opencv
from models.media.stills.exif import orientation_of
from models.media.stills.still import Still, as_channels, undecodable
from models.records.errors import ImageDecodeFailed

_MAX_CHUNKS = 10_000
_FRAME_HEADER = 16
_EXIF_FLAG = 0x08
# A picture needs all of its bytes but for some that fill up words.
_UNUSED_BYTES = 8
# A few bytes are read at once, so that pictures of next to nothing do not miss them.
_LEAST_CHECKED = 64


class _Canvas(NamedTuple):
    """Where the first picture lies; all in pixels."""

    width: int
    height: int
    left: int = 0
    top: int = 0


class _Chunk(NamedTuple):
    """A chunk; offsets in bytes of its content."""

    kind: bytes
    start: int
    end: int


def matches(data: bytes) -> bool:
    """Tell a WebP by its RIFF header."""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def read(data: bytes) -> Still:
    """Walk all chunks; raises ImageDecodeFailed or struct.error."""
    stated = 8 + struct.unpack_from("<I", data, 4)[0]
    if len(data) < stated:
        raise undecodable("WebP", "it is shorter than it states")
    chunks = list(_chunks(data, 12, stated))
    if not chunks or chunks[0].kind not in (b"VP8X", b"VP8L", b"VP8 "):
        raise undecodable("WebP", "its first chunk is none of WebP's")
    # Without its flag in the first chunk, EXIF is a chunk that nobody knows.
    says_exif = chunks[0].kind == b"VP8X" and data[chunks[0].start] & _EXIF_FLAG
    exif = next((each for each in chunks if says_exif and each.kind == b"EXIF"), None)
    orientation = orientation_of(data[exif.start : exif.end]) if exif is not None else 1
    picture, canvas = _first_picture(data, chunks)
    decode = partial(_decode, data, picture, canvas)
    return Still(canvas.width, canvas.height, decode, orientation)


def _first_picture(data: bytes, chunks: list[_Chunk]) -> tuple[_Chunk, _Canvas]:
    """Find the first picture's chunk, and its place on the canvas."""
    canvas = None
    if chunks[0].kind == b"VP8X":
        canvas = _Canvas(*_numbers_of_three_bytes(data, chunks[0].start + 4, 2))
    for chunk in chunks:
        if chunk.kind == b"ANMF" and canvas is not None:
            left, top = _numbers_of_three_bytes(data, chunk.start, 2)
            canvas = canvas._replace(left=2 * (left - 1), top=2 * (top - 1))
            return _first_picture_within(data, chunk), canvas
        if chunk.kind in (b"VP8L", b"VP8 "):
            size = _size(data, chunk)
            if canvas is not None and size != (canvas.width, canvas.height):
                raise undecodable("WebP", "its picture has another size than its canvas")
            return chunk, _Canvas(*size)
    # A canvas without a picture: its size is told first, so that it can be found too large.
    return _Chunk(b"", 0, 0), canvas or _Canvas(0, 0)


def _first_picture_within(data: bytes, frame: _Chunk) -> _Chunk:
    for chunk in _chunks(data, frame.start + _FRAME_HEADER, frame.end):
        if chunk.kind in (b"VP8L", b"VP8 "):
            return chunk
    return _Chunk(b"", 0, 0)


def _chunks(data: bytes, position: int, stop: int) -> Iterator[_Chunk]:
    """Yield the chunks between two offsets."""
    for _ in range(_MAX_CHUNKS):
        if position + 8 > stop:
            return
        kind, length = struct.unpack_from("<4sI", data, position)
        start = position + 8
        if start + length > stop:
            raise undecodable("WebP", "a chunk reaches beyond its end")
        yield _Chunk(kind, start, start + length)
        position = start + length + length % 2
    raise undecodable("WebP", f"it has more than {_MAX_CHUNKS:,} chunks")


def _size(data: bytes, chunk: _Chunk) -> tuple[int, int]:
    """Read the size in pixels that a picture's chunk states."""
    if chunk.kind == b"VP8L":
        bits = struct.unpack_from("<I", data, chunk.start + 1)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", data, chunk.start + 6)
    return width & 0x3FFF, height & 0x3FFF


def _numbers_of_three_bytes(data: bytes, position: int, count: int) -> list[int]:
    """Read numbers that WebP stores less one."""
    places = range(position, position + 3 * count, 3)
    return [int.from_bytes(data[at : at + 3], "little") + 1 for at in places]


def _file_of(kind: bytes, body: bytes) -> bytes:
    chunk = struct.pack("<4sI", kind, len(body)) + body + b"\0" * (len(body) % 2)
    return struct.pack("<4sI4s", b"RIFF", 4 + len(chunk), b"WEBP") + chunk


def _check_all_is_used(kind: bytes, body: bytes) -> None:
    """Refuse a picture that needs less than its data: somewhere they went astray."""
    try:
        decode_with_opencv(_file_of(kind, body[:-_UNUSED_BYTES]), "WebP")
    except ImageDecodeFailed:
        return
    raise undecodable("WebP", "it ends before its data do")


def _decode(
    data: bytes, picture: _Chunk, canvas: _Canvas, channels: int, _least: int | None
) -> Pixels:
    if not picture.kind:
        raise undecodable("WebP", "it has no picture")
    width, height = _size(data, picture)
    if canvas.left + width > canvas.width or canvas.top + height > canvas.height:
        raise undecodable("WebP", "its picture is larger than its canvas")
    body = data[picture.start : picture.end]
    if picture.kind == b"VP8L" or len(body) >= _LEAST_CHECKED:
        _check_all_is_used(picture.kind, body)
    pixels = decode_with_opencv(_file_of(picture.kind, body), "WebP")
    if (width, height) != (canvas.width, canvas.height):
        whole = np.zeros((canvas.height, canvas.width, 3), np.uint8)
        whole[canvas.top : canvas.top + height, canvas.left : canvas.left + width] = pixels
        pixels = whole
    return as_channels(pixels, channels)
