"""What a video file says of itself, before any library of videos sees it.

The size of its pictures, and whether the file goes on as far as it says. Only headers are read,
some bytes at a time, so that a file of gigabytes costs microseconds, and a film that claims to be
65,535 x 65,535 is refused before anything is set up for it. What is not understood claims nothing.

Sources: ISO/IEC 14496-12 (MP4), Apple's QuickTime File Format, RFC 9559 (Matroska) and RFC 8794
(EBML), Microsoft's AVI RIFF File Reference; film_ends.py and mp4_index.py name theirs.
"""

import struct
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO, NamedTuple

from models.media.film_ends import asf_is_cut, flv_is_cut, ps_is_cut, ts_is_cut
from models.media.mp4_index import MAX_INDEX_BYTES, MAX_INDEX_ENTRIES, claimed_entries
from models.records.errors import VideoDecodeFailed

# Real files have some hundred parts, fragmented ones thousands; more is work for work's sake.
_MAX_PARTS = 200_000

# Boxes of MP4 that hold the film itself, or nothing.
_BODIES = (b"mdat", b"free", b"skip", b"wide", b"ftyp")

_SEGMENT, _CLUSTER = 0x18538067, 0x1F43B675
_TRACKS, _TRACK, _VIDEO = 0x1654AE6B, 0xAE, 0xE0
_PIXEL_WIDTH, _PIXEL_HEIGHT = 0xB0, 0xBA


class Claims(NamedTuple):
    """What a file states: the largest picture in pixels (0 x 0 when it does not say).

    `is_cut` says that the file ends before the place that it names as its end; `index_entries` in
    how many pieces its index says that the film is.
    """

    width: int = 0
    height: int = 0
    is_cut: bool = False
    index_entries: int = 0


class _Part(NamedTuple):
    """A box of MP4 or an element of Matroska; offsets in bytes."""

    kind: bytes | int
    start: int
    end: int


def read_claims(kind: str, file: BinaryIO, size: int) -> Claims:
    """Read what a file of `size` bytes states; `kind` is as `film_formats` names it.

    Raises VideoDecodeFailed for headers that are compressed.
    """
    reader = _READERS.get(kind)
    try:
        return reader(file, size) if reader is not None else Claims()
    except (struct.error, IndexError):
        return Claims(is_cut=True)


def _mp4(file: BinaryIO, size: int) -> Claims:
    width = height = entries = 0
    is_cut = False
    for box in _boxes(file, 0, size):
        is_cut = box.end > size
        if box.kind not in _BODIES:
            entries += _claimed_entries(file, box)
        if box.kind == b"moov":
            for wide, high in _track_sizes(file, box):
                width, height = max(
                    (width, height), (wide, high), key=lambda each: each[0] * each[1]
                )
    return Claims(width, height, is_cut, entries)


def _claimed_entries(file: BinaryIO, box: _Part) -> int:
    length = box.end - box.start
    if length > MAX_INDEX_BYTES:
        return MAX_INDEX_ENTRIES + 1
    headers = _read(file, box.start, length)
    if headers[4:8] == b"cmov":
        raise VideoDecodeFailed(
            "The MP4 video's headers are compressed, as QuickTime wrote them before 2000. Save it "
            "again as MP4 or WebM."
        )
    return claimed_entries(headers)


def _track_sizes(file: BinaryIO, moov: _Part) -> Iterator[tuple[int, int]]:
    for track in _boxes(file, moov.start, moov.end):
        if track.kind != b"trak":
            continue
        for box in _boxes(file, track.start, track.end):
            if box.kind == b"tkhd":
                # The last two numbers of both its versions, 16.16 fixed point.
                wide, high = struct.unpack(">II", _read(file, box.end - 8, 8))
                yield wide >> 16, high >> 16


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[_Part]:
    """Yield the boxes that begin between two offsets; the last may end beyond."""
    for _ in range(_MAX_PARTS):
        if end - start < 8:
            return
        length, kind = struct.unpack(">I4s", _read(file, start, 8))
        header = 8
        if length == 1:
            header = 16
            (length,) = struct.unpack(">Q", _read(file, start + 8, 8))
        elif length == 0:
            length = end - start
        if length < header:
            return
        yield _Part(kind, start + header, start + length)
        start += length


def _matroska(file: BinaryIO, size: int) -> Claims:
    for element in _elements(file, 0, size):
        if element.kind == _SEGMENT:
            return Claims(*_largest_track(file, element, size), element.end > size)
    return Claims(is_cut=True)


def _largest_track(file: BinaryIO, segment: _Part, size: int) -> tuple[int, int]:
    found = [(0, 0)]
    for element in _elements(file, segment.start, min(segment.end, size)):
        if element.kind == _CLUSTER:
            break
        if element.kind == _TRACKS:
            # Beside the tracks may stand a checksum, whose bytes are no elements.
            parts = _elements(file, *element[1:])
            found += [_pixels(file, track) for track in parts if track.kind == _TRACK]
    return max(found, key=_area)


def _pixels(file: BinaryIO, track: _Part) -> tuple[int, int]:
    stated = {_PIXEL_WIDTH: 0, _PIXEL_HEIGHT: 0}
    for video in _elements(file, *track[1:]):
        if video.kind == _VIDEO:
            for element in _elements(file, *video[1:]):
                if element.kind in stated:
                    number = _read(file, element.start, min(element.end - element.start, 8))
                    stated[int(element.kind)] = int.from_bytes(number, "big")
    return stated[_PIXEL_WIDTH], stated[_PIXEL_HEIGHT]


def _elements(file: BinaryIO, start: int, end: int) -> Iterator[_Part]:
    """Yield the EBML elements that begin between two offsets; the last may end beyond."""
    for _ in range(_MAX_PARTS):
        if start >= end:
            return
        head = _read(file, start, 12)
        kind_bytes = _number_bytes(head[0])
        size_bytes = _number_bytes(head[kind_bytes])
        kind = int.from_bytes(head[:kind_bytes], "big")
        unknown = (1 << 7 * size_bytes) - 1
        length = int.from_bytes(head[kind_bytes : kind_bytes + size_bytes], "big") & unknown
        body = start + kind_bytes + size_bytes
        stop = end if length == unknown else body + length
        yield _Part(kind, body, stop)
        start = stop


def _number_bytes(first: int) -> int:
    """Give the length of an EBML number: one byte, and one more for each leading zero bit."""
    if first == 0:
        raise IndexError("no EBML number is longer than eight bytes")
    return 9 - first.bit_length()


def _avi(file: BinaryIO, size: int) -> Claims:
    (length,) = struct.unpack("<I", _read(file, 4, 4))
    # RIFF, LIST hdrl, avih: the main header stands first, its size at this place.
    width, height = struct.unpack("<II", _read(file, 64, 8))
    return Claims(width, height, length + 8 > size)


def _area(size: tuple[int, int]) -> int:
    return size[0] * size[1]


def _read(file: BinaryIO, offset: int, count: int) -> bytes:
    file.seek(offset)
    return file.read(count)


_READERS: Mapping[str, Callable[[BinaryIO, int], Claims]] = {
    "MP4": _mp4,
    "Matroska": _matroska,
    "AVI": _avi,
    "MPEG-TS": lambda file, size: Claims(is_cut=ts_is_cut(file, size)),
    "MPEG-PS": lambda file, size: Claims(is_cut=ps_is_cut(file, size)),
    "FLV": lambda file, size: Claims(is_cut=flv_is_cut(file, size)),
    "WMV": lambda file, size: Claims(is_cut=asf_is_cut(file, size)),
}
