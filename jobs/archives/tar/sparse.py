"""Sparse files of a tar: pieces of data, and the map that says where in the file they belong.

The map stands in the header (old GNU format), in an extended header (pax 0.0 and 0.1), or before
the data (pax 1.0). Layout: GNU tar manual, "Storing Sparse Files" and `struct sparse` in tar.h.
"""

import struct
from collections.abc import Iterator

from jobs.archives.members import MIB, ArchiveError
from jobs.archives.source import Source, message, unreadable
from jobs.archives.tar.headers import BLOCK, decimal, is_header, number, padded, pax_records

Piece = tuple[int, int]  # where in the file, and bytes

_MOST_PIECES = 100_000
_MOST_HEADERS = 64
_MOST_HEADER_BYTES = MIB
_OLD_IN_HEADER, _OLD_IN_BLOCK = (386, 4), (0, 21)  # first byte of the map, pieces
_PAIR = struct.Struct("12s12s")
_CUT = "its sparse map ends after {} bytes"


def sparse_pieces(source: Source, size: int) -> Iterator[bytes]:
    """The bytes of a sparse file of `size` bytes, holes as zeros, in pieces of 1 MiB at most.

    `source` begins with the header that holds the map. Raises ArchiveError.
    """
    try:
        pieces = _pieces(source)
    except ArchiveError as err:
        raise ArchiveError("corrupt_archive", message("its sparse map is broken")) from err
    at = 0
    for offset, length in pieces:
        if offset < at or offset + length > size:
            unreadable(f"its sparse map puts {length:,} bytes at byte {offset:,} of {size:,}")
        yield from _zeros(offset - at)
        yield from _data(source, length)
        at = offset + length
    yield from _zeros(size - at)


def _zeros(count: int) -> Iterator[bytes]:
    for start in range(0, count, MIB):
        yield bytes(min(MIB, count - start))


def _data(source: Source, length: int) -> Iterator[bytes]:
    while length:
        part = source.next()
        if not part:
            unreadable(f"its data ends {length:,} bytes too early")
        content = bytes(part[: min(length, MIB)])
        source.give_back(part[len(content) :])
        length -= len(content)
        yield content


def _pieces(source: Source) -> list[Piece]:
    """The map; the source then stands at the data."""
    fields: dict[bytes, bytes] = {}
    offsets: list[bytes] = []
    lengths: list[bytes] = []
    for _ in range(_MOST_HEADERS + 1):
        block = source.take(BLOCK, _CUT)
        if not is_header(block):
            unreadable("there is no header of a sparse file at its offset")
        kind, size = block[156:157], number(block[124:136], 0)
        if kind == b"S":
            return _old_map(source, block)
        if kind not in b"xXgLK" or not kind:
            break
        if size > _MOST_HEADER_BYTES:
            unreadable(f"a header of its sparse map claims {size:,} bytes")
        payload = source.take(padded(size), _CUT)[:size]
        if kind in b"xX":
            for key, value in pax_records(payload, 0):
                if key == b"GNU.sparse.offset":
                    offsets.append(value)
                elif key == b"GNU.sparse.numbytes":
                    lengths.append(value)
                fields[key] = value
    if b"GNU.sparse.major" in fields:
        return _map_before_data(source)
    if b"GNU.sparse.map" in fields:
        numbers = fields[b"GNU.sparse.map"].split(b",")
        offsets, lengths = numbers[::2], numbers[1::2]
    if len(offsets) != len(lengths):
        unreadable("its sparse map has an odd number of entries")
    return [
        (decimal(offset, 0), decimal(length, 0))
        for offset, length in zip(offsets, lengths, strict=True)
    ]


def _old_map(source: Source, block: bytes) -> list[Piece]:
    pieces = list(_pairs(block, *_OLD_IN_HEADER))
    more = block[482]
    while more:
        block = source.take(BLOCK, _CUT)
        pieces += _pairs(block, *_OLD_IN_BLOCK)
        more = block[504]
        if len(pieces) > _MOST_PIECES:
            unreadable(f"its sparse map has more than {_MOST_PIECES:,} pieces")
    return pieces


def _pairs(block: bytes, first: int, count: int) -> Iterator[Piece]:
    for index in range(count):
        offset, length = _PAIR.unpack_from(block, first + index * _PAIR.size)
        if not length.strip(b"\0 "):
            return
        yield number(offset, 0), number(length, 0)


def _map_before_data(source: Source) -> list[Piece]:
    """Version 1.0: decimal numbers, one a line, the count of pieces first; padded to a block."""
    lines = _lines(source)
    count = next(lines)
    if count > _MOST_PIECES:
        unreadable(f"its sparse map has more than {_MOST_PIECES:,} pieces")
    return [(next(lines), next(lines)) for _ in range(count)]


def _lines(source: Source) -> Iterator[int]:
    rest = b""
    while True:
        rest += source.take(BLOCK, _CUT)
        *lines, rest = rest.split(b"\n")
        for line in lines:
            yield decimal(line, 0)
        if len(rest) > 20 and rest.strip(b"\0"):
            unreadable("its sparse map holds what is no number")
