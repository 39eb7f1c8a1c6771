"""A zip file as a stream, of millions of small members, in the memory of one.

Python's zipfile keeps every member for the directory at the file's end, hundreds of bytes each.
Here whoever writes gives the members twice, and the directory is made of the second time. They are
stored, not deflated, with their sizes before them, so that any reader takes them from a stream.

Source: APPNOTE 6.3.10, https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
"""

import struct
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple
from zlib import crc32

_LOCAL = struct.Struct("<IHHHHHIIIHH")
_ENTRY = struct.Struct("<IHHHHHHIIIHHHHHII")
_END_64 = struct.Struct("<IQHHIIQQQQ")
_LOCATOR = struct.Struct("<IIQI")
_END = struct.Struct("<IHHHHIIH")
_OFFSET_64 = struct.Struct("<HHQ")

_UTF_8 = 1 << 11
_VERSION_20, _VERSION_45 = 20, 45
_MADE_ON_UNIX = 3 << 8
# A plain file that its owner may write and all may read.
_MODE = 0o100644 << 16
# 1 January 1980, the first day that a zip file knows: the same results are the same bytes.
_DATE = 1 << 5 | 1
_FULL_16, _FULL_32 = 0xFFFF, 0xFFFFFFFF
# Small members leave together: each piece is a hop between threads.
_A_PIECE = 64 * 1024
# From here on a place takes 64 bits.
_FAR = _FULL_32


class Member(NamedTuple):
    """A small file of an archive."""

    name: str
    content: bytes


def zipped(members: Callable[[], Iterable[Member]]) -> Iterator[bytes]:
    """Write an archive of what `members` gives, the same each of the two times it is called."""
    return _gathered(_parts(members))


def _gathered(parts: Iterable[bytes]) -> Iterator[bytes]:
    held = bytearray()
    for part in parts:
        held += part
        if len(held) >= _A_PIECE:
            yield bytes(held)
            held.clear()
    yield bytes(held)


def _parts(members: Callable[[], Iterable[Member]]) -> Iterator[bytes]:
    for member in members():
        yield _local(member) + member.content
    count = offset = size = 0
    for member in members():
        entry = _entry(member, offset)
        yield entry
        count += 1
        size += len(entry)
        offset += _LOCAL.size + len(member.name.encode()) + len(member.content)
    yield _end(count, size, offset)


def _local(member: Member) -> bytes:
    name, length = member.name.encode(), len(member.content)
    head = _LOCAL.pack(
        0x04034B50, _VERSION_20, _UTF_8, 0, 0, _DATE, crc32(member.content), length, length,
        len(name), 0,
    )  # fmt: skip
    return head + name


def _entry(member: Member, offset: int) -> bytes:
    name, length = member.name.encode(), len(member.content)
    is_far = offset >= _FAR
    extra = _OFFSET_64.pack(1, 8, offset) if is_far else b""
    head = _ENTRY.pack(
        0x02014B50, _MADE_ON_UNIX | _VERSION_45, _VERSION_45, _UTF_8, 0, 0, _DATE,
        crc32(member.content), length, length, len(name), len(extra), 0, 0, 0, _MODE,
        _FULL_32 if is_far else offset,
    )  # fmt: skip
    return head + name + extra


def _end(count: int, size: int, offset: int) -> bytes:
    """End an archive whose directory of `size` bytes begins at `offset`."""
    if count < _FULL_16 and offset + size < _FAR:
        return _END.pack(0x06054B50, 0, 0, count, count, size, offset, 0)
    end = _END_64.pack(
        0x06064B50, _END_64.size - 12, _MADE_ON_UNIX | _VERSION_45, _VERSION_45, 0, 0,
        count, count, size, offset,
    )  # fmt: skip
    locator = _LOCATOR.pack(0x07064B50, 0, offset + size, 1)
    last = _END.pack(0x06054B50, 0, 0, _FULL_16, _FULL_16, _FULL_32, _FULL_32, 0)
    return end + locator + last
