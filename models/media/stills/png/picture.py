"""PNG, by libpng (OpenCV), from the chunks that make pixels and no others.

Text, profiles, gamma, transparency and animation never reach the decoder: none can fill memory or
move a colour. Checksums are checked here; libpng refuses data that are too short or whose own
checksum is wrong. Colours under transparent pixels are kept, 16 bits become their high byte.

Source: W3C PNG (third edition).
"""

import struct
import zlib
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from models.media.memory import Pixels
from models.media.stills.by_opencv import decode_with_opencv
from models.media.stills.exif import orientation_of
from models.media.stills.png.text import orientation_of_text
from models.media.stills.still import Still, as_channels, undecodable

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEPT = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
_TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_COLOUR_TYPES_WITHOUT_COLOUR = (0, 4)
# 64 MB in chunks of 8 kB are 8,000.
_MAX_CHUNKS = 200_000
# Texts that are looked into for an orientation; a picture has one.
_MAX_TEXTS = 16


class _Chunk(NamedTuple):
    """A chunk; offsets in bytes of its length field, and behind its checksum."""

    kind: bytes
    start: int
    end: int

    def body(self, data: bytes) -> bytes:
        """Copy what it holds."""
        return data[self.start + 8 : self.end - 4]


def matches(data: bytes) -> bool:
    """Tell a PNG by its signature."""
    return data.startswith(_SIGNATURE)


def read(data: bytes) -> Still:
    """Walk all chunks; raises ImageDecodeFailed or struct.error."""
    if data[12:16] != b"IHDR":
        raise undecodable("PNG", "it does not start with IHDR")
    width, height, _, colour_type = struct.unpack_from(">IIBB", data, 16)
    kept: list[_Chunk] = []
    orientation, texts = None, 0
    for chunk in _chunks(data):
        if chunk.kind in _KEPT:
            _check(data, chunk, is_first=not kept)
            kept.append(chunk)
        elif chunk.kind == b"eXIf":
            orientation = orientation or orientation_of(chunk.body(data))
        elif chunk.kind in _TEXTS and texts < _MAX_TEXTS:
            texts += 1
            orientation = orientation or orientation_of_text(chunk.kind, chunk.body(data))
    decode = partial(_decode, data, kept, colour_type in _COLOUR_TYPES_WITHOUT_COLOUR)
    return Still(width, height, decode, orientation or 1)


def _chunks(data: bytes) -> Iterator[_Chunk]:
    """Yield the chunks up to and with IEND.

    All lengths are checked because OpenCV (4.14) believes them: one false length made it allocate
    4 GB for a picture of 12 kB.
    """
    position = len(_SIGNATURE)
    for _ in range(_MAX_CHUNKS):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length  # length, kind, data, checksum
        if end > len(data):
            break
        yield _Chunk(kind, position, end)
        if kind == b"IEND":
            return
        position = end
    raise undecodable("PNG", "its chunks do not reach IEND")


def _check(data: bytes, chunk: _Chunk, *, is_first: bool) -> None:
    """Hold a chunk against its checksum, and against what may stand where it stands."""
    if chunk.kind == b"IHDR" and not is_first:
        raise undecodable("PNG", "it has a second IHDR")
    (checksum,) = struct.unpack_from(">I", data, chunk.end - 4)
    if zlib.crc32(memoryview(data)[chunk.start + 4 : chunk.end - 4]) != checksum:
        raise undecodable("PNG", f"the checksum of a chunk {chunk.kind.decode()} is wrong")


def _decode(
    data: bytes, kept: list[_Chunk], is_grey: bool, channels: int, _least: int | None
) -> Pixels:
    view = memoryview(data)
    file = b"".join([_SIGNATURE, *(view[each.start : each.end] for each in kept)])
    return as_channels(decode_with_opencv(file, "PNG", is_grey=is_grey), channels)
