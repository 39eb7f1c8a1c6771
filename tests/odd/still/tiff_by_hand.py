"""A writer of TIFF directories, byte by byte (TIFF 6.0), with no library between."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

SHORT, LONG, ASCII, RATIONAL = 3, 4, 2, 5
_FORMS = {ASCII: "s", SHORT: "H", LONG: "I"}

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
OFFSETS, ORIENTATION, SAMPLES, ROWS, COUNTS = 273, 274, 277, 278, 279
PLANAR, PREDICTOR, COLORMAP, SUB_IFDS, EXTRA, FORMAT = 284, 317, 320, 330, 338, 339
KIND, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS = 254, 322, 323, 324, 325
SUBSAMPLING, MAKE, DNG_VERSION = 530, 271, 50706


@dataclass(frozen=True)
class Directory:
    """One directory: tags with their values, and the strips or tiles that it points at."""

    tags: dict[int, Sequence[int] | bytes]
    pieces: Sequence[bytes] = ()
    tiled: bool = False
    children: Sequence["Directory"] = field(default=())


def tiff(*directories: Directory, order: str = "<") -> bytes:
    """Write the directories as a chain; `order` is "<" or ">"."""
    out = bytearray((b"II*\0" if order == "<" else b"MM\0*") + bytes(4))
    link = 4
    for directory in directories:
        start = _write(out, directory, order)
        struct.pack_into(order + "I", out, link, start)
        link = len(out) - 4
    return bytes(out)


def _write(out: bytearray, directory: Directory, order: str) -> int:
    """Append pieces, long values and the entries; gives where the directory begins."""
    offsets = []
    for piece in directory.pieces:
        offsets.append(len(out))
        out += piece + bytes(len(piece) % 2)
    tags = dict(directory.tags)
    if directory.pieces:
        at, count = (TILE_OFFSETS, TILE_COUNTS) if directory.tiled else (OFFSETS, COUNTS)
        tags[at], tags[count] = offsets, [len(piece) for piece in directory.pieces]
    if directory.children:
        tags[SUB_IFDS] = [_write(out, child, order) for child in directory.children]
    entries = b""
    for tag in sorted(tags):
        entries += _entry(out, tag, tags[tag], order)
    start = len(out)
    out += struct.pack(order + "H", len(tags)) + entries + bytes(4)
    return start


def _entry(out: bytearray, tag: int, values: Sequence[int] | bytes, order: str) -> bytes:
    if isinstance(values, bytes):
        kind, body = (1 if tag == DNG_VERSION else ASCII), values
    else:
        large = tag in (OFFSETS, COUNTS, TILE_OFFSETS, TILE_COUNTS, SUB_IFDS)
        kind = LONG if large or max(values) > 0xFFFF else SHORT
        body = struct.pack(f"{order}{len(values)}{_FORMS[kind]}", *values)
    count = len(values)
    if len(body) > 4:
        body, at = b"", _append(out, body)
        place = struct.pack(order + "I", at)
    else:
        place = body.ljust(4, b"\0")
    return struct.pack(order + "HHI", tag, kind, count) + place


def _append(out: bytearray, body: bytes) -> int:
    at = len(out)
    out += body + bytes(len(body) % 2)
    return at
