"""A JPEG taken apart into its segments, exactly as libjpeg sees them.

What the header check sees and what the decoder sees must be the same, so the walk follows
libjpeg's `next_marker`: whatever is no marker is passed over (bytes between segments, fill bytes),
markers without a length (TEM, RSTn) hide nothing behind them, and data of a scan goes on to the
next marker. Segments that only describe the picture (comments, thumbnails, profiles) are left out.

Source: ITU-T T.81, annex B.
"""

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from models.media.stills.exif import orientation_of
from models.media.stills.still import undecodable, unsupported

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
DHT, DAC, SOS, DQT, DNL, DRI = 0xC4, 0xCC, 0xDA, 0xDB, 0xDC, 0xDD
_APP0, _APP1, _APP14, _COM = 0xE0, 0xE1, 0xEE, 0xFE
# Markers C0 to CF start a frame, save these three: Huffman tables, JPG extension, arithmetic.
FRAMES = frozenset(range(0xC0, 0xD0)) - {DHT, 0xC8, DAC}
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})
_TABLES = frozenset({DHT, DAC, DQT, DRI})
_PASSED_OVER = frozenset({*range(0xE0, 0xF0), _COM, DNL})
# Those that tell libjpeg how colours are coded.
COLOUR_HINTS = {_APP0: b"JFIF\0", _APP14: b"Adobe"}

_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff]")
_SCAN_END = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")

# Real files have tens of segments, some hundred with profiles and previews in many pieces.
_MAX_SEGMENTS = 4096


class Segment(NamedTuple):
    """One marker with what belongs to it; offsets in bytes.

    start: of its length field. end: behind its last byte; of a scan, behind its header.
    data_end: behind the data of a scan; of all others the same as `end`.
    """

    marker: int
    start: int
    end: int
    data_end: int


class Segments(NamedTuple):
    """The segments that make pixels, in their order, and the orientation that EXIF states."""

    kept: tuple[Segment, ...]
    orientation: int


def take_apart(data: bytes) -> Segments:
    """Walk from the first byte behind the start marker to the end marker.

    Raises ImageDecodeFailed, or struct.error where the bytes end inside a segment.
    """
    kept: list[Segment] = []
    orientation: int | None = None
    for segment in _walk(data, data.index(SOI) + 2):
        marker, start = segment.marker, segment.start
        if marker == _APP1 and orientation is None and data.startswith(b"Exif\0\0", start + 2):
            orientation = orientation_of(data[start + 2 : segment.end])
        hint = COLOUR_HINTS.get(marker)
        is_hint = hint is not None and data.startswith(hint, start + 2)
        if is_hint or marker in FRAMES or marker in _TABLES or marker == SOS:
            kept.append(segment)
        elif marker not in _PASSED_OVER:
            raise unsupported("JPEG", f"it has a segment of the unknown kind {marker:02X}")
    return Segments(tuple(kept), orientation or 1)


def join(data: bytes, segments: tuple[Segment, ...]) -> bytes:
    """Make a JPEG of the segments alone, without a byte between them."""
    view = memoryview(data)
    parts: list[bytes | memoryview] = [SOI]
    for each in segments:
        parts += [bytes((0xFF, each.marker)), view[each.start : each.data_end]]
    return b"".join([*parts, EOI])


def _walk(data: bytes, position: int) -> Iterator[Segment]:
    for _ in range(_MAX_SEGMENTS):
        found = _NEXT_MARKER.search(data, position)
        if found is None:
            raise undecodable("JPEG", "its end marker is missing")
        marker, position = data[found.end() - 1], found.end()
        if marker in _WITHOUT_LENGTH:
            continue
        if marker == EOI[1]:
            return
        if marker == SOI[1]:
            raise undecodable("JPEG", "another JPEG begins before its end marker")
        (length,) = struct.unpack_from(">H", data, position)
        end = position + max(2, length)
        if end > len(data):
            raise undecodable("JPEG", "its end marker is missing")
        data_end = _end_of_scan(data, end) if marker == SOS else end
        yield Segment(marker, position, end, data_end)
        position = data_end
    raise undecodable("JPEG", f"it has more than {_MAX_SEGMENTS:,} segments")


def _end_of_scan(data: bytes, start: int) -> int:
    found = _SCAN_END.search(data, start)
    if found is None:
        raise undecodable("JPEG", "its end marker is missing")
    return found.start()
