"""Films that are bombs: boxes and elements written by hand, some around a film that FFmpeg made."""

import io
import struct
from collections.abc import Iterator
from fractions import Fraction
from functools import cache

import numpy as np

from tests.odd.bombs import ANSWER, UNKNOWN, Bomb, bomb

BROKEN, TOO_LARGE = "video_decode_failed", "video_too_large"
_END = (BROKEN, TOO_LARGE)


def films() -> Iterator[Bomb]:
    """Give every film that is a bomb."""
    yield from _claims()
    yield from _shapes()
    yield from _elements()


@cache
def film(form: str, codec: str, count: int = 5) -> bytes:
    """Encode some frames of 64 x 64 pixels."""
    import av  # takes a while

    buffer = io.BytesIO()
    with av.open(buffer, "w", format=form) as container:
        stream = container.add_stream(codec, rate=Fraction(25))
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for number in range(count):
            pixels = np.full((64, 64, 3), 40 * number % 256, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


def box(kind: bytes, *parts: bytes) -> bytes:
    """Give a box of ISO/IEC 14496-12."""
    body = b"".join(parts)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def _numbers(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}I", *numbers)


def _claims() -> Iterator[Bomb]:
    """Indices that claim what is not there."""
    whole = film("mp4", "mpeg4")
    for kind, fields in (
        (b"stsz", (0, 1, 80_000_000)), (b"stts", (0, 2**31 - 1)), (b"stsc", (0, 2**31 - 1)),
        (b"stco", (0, 2**31 - 1)),
    ):  # fmt: skip
        at = whole.index(kind) + 4
        claimed = whole[:at] + _numbers(*fields) + whole[at + 4 * len(fields) :]
        yield bomb(f"{kind.decode()}.mp4", claimed, ANSWER, *_END)
    run = box(b"moof", box(b"mfhd", _numbers(0, 1)), box(
        b"traf", box(b"tfhd", _numbers(0x20000, 1)), box(b"trun", _numbers(0, 2**31 - 1)),
    ))  # fmt: skip
    yield bomb("trun.mp4", whole + run * 2000, ANSWER, *_END)
    size = whole.index(b"mp4v") + 4 + 24
    huge = whole[:size] + struct.pack(">HH", 65_535, 65_535) + whole[size + 4 :]
    yield bomb("huge-claim.mp4", huge, ANSWER, *_END)


def one_pixel_film(count: int, tracks: int = 1) -> bytes:
    """Write a QuickTime film of frames of one pixel, all its tracks over the same samples."""
    start = box(b"ftyp", b"qt  ", bytes(4), b"qt  ")
    samples = box(b"mdat", b"\x20\x40\x60\0" * count)
    entry = box(
        b"raw ", bytes(6), b"\0\1", bytes(16), struct.pack(">HH", 1, 1),
        _numbers(0x480000, 0x480000, 0), b"\0\1", bytes(32), b"\0\x18\xff\xff",
    )  # fmt: skip
    table = box(
        b"stbl", box(b"stsd", _numbers(0, 1), entry), box(b"stts", _numbers(0, 1, count, 1)),
        box(b"stsc", _numbers(0, 1, 1, count, 1)), box(b"stsz", _numbers(0, 4, count)),
        box(b"stco", _numbers(0, 1, len(start) + 8)),
    )  # fmt: skip
    media = box(
        b"mdia", box(b"mdhd", _numbers(0, 0, 0, 1000, count, 0)),
        box(b"hdlr", bytes(8), b"vide", bytes(13)), box(b"minf", box(b"vmhd", bytes(12)), table),
    )  # fmt: skip
    unity = _numbers(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    heads = [
        box(b"tkhd", _numbers(3, 0, 0, 1 + number, 0, count), bytes(16), unity,
            _numbers(0x10000, 0x10000))
        for number in range(tracks)
    ]  # fmt: skip
    movie = box(b"mvhd", _numbers(0, 0, 0, 1000, count), bytes(80))
    return start + samples + box(b"moov", movie, *(box(b"trak", head, media) for head in heads))


def _shapes() -> Iterator[Bomb]:
    """Many frames, many streams, frames that grow, boxes in boxes."""
    yield bomb("many-frames.mov", one_pixel_film(40_000), ANSWER, *_END)
    yield bomb("thousands-of-streams.mov", one_pixel_film(10, tracks=5000), ANSWER, *_END)
    yield bomb("streams-and-frames.mov", one_pixel_film(400_000, tracks=60), ANSWER, *_END)
    yield bomb("growing.ts", film("mpegts", "mpeg2video") + _grown(), ANSWER, *_END)
    yield bomb("growing.mpg", film("mpeg", "mpeg2video") + _grown("mpeg"), ANSWER, *_END)
    deep = b"".join(struct.pack(">I", 8 * (100_000 - depth)) + b"moov" for depth in range(100_000))
    yield bomb("deep.mp4", box(b"ftyp", b"isom", bytes(4), b"isom") + deep, *_END, UNKNOWN)
    yield bomb("free.mp4", film("mp4", "mpeg4") + box(b"free") * 500_000, ANSWER, *_END)


def _grown(form: str = "mpegts") -> bytes:
    """Give the film again as one of 8192 x 8192 pixels, by its headers (ISO/IEC 13818-2, 6.2.2)."""
    data = bytearray(film(form, "mpeg2video"))
    at = data.find(b"\0\0\1\xb3")
    while at >= 0:
        data[at + 4 : at + 7] = bytes(3)
        extension = data.index(b"\0\0\1\xb5", at)
        data[extension + 5] |= 0b1
        data[extension + 6] |= 0b0100_0000
        at = data.find(b"\0\0\1\xb3", at + 4)
    return bytes(data)


def _elements() -> Iterator[Bomb]:
    """Matroska (RFC 8794, RFC 9559) without an end, or with no bottom."""
    head = b"\x1a\x45\xdf\xa3\x8b\x42\x82\x88matroska"
    segment = head + b"\x18\x53\x80\x67" + b"\x01" + b"\xff" * 7
    yield bomb("endless.mkv", segment + b"\xec\x80" * 4_000_000, *_END, UNKNOWN)
    tags = segment + b"\x12\x54\xc3\x67" + b"\x01" + b"\xff" * 7
    yield bomb("deep-tags.mkv", tags + (b"\x67\xc8\x01" + b"\xff" * 7) * 400_000, *_END, UNKNOWN)
    clusters = film("matroska", "mpeg4") + b"\x1f\x43\xb6\x75\x80" * 1_000_000
    yield bomb("clusters.mkv", clusters, ANSWER, *_END)
    claim = segment + b"\x16\x54\xae\x6b\x84\xae\x82\x63\xa2" + b"\x08\x7f\xff\xff\xff"
    yield bomb("private-claim.mkv", claim + bytes(1000), *_END, UNKNOWN)
