"""The central directory of a zip, read as a stream.

`zipfile` reads the directory whole and keeps an object of some 500 bytes for every member; this
keeps one piece of 1 MiB. Layout: PKWARE APPNOTE 6.3.10, 4.3.12 (entries), 4.3.14 to 4.3.16 (end
records), 4.5.3 (zip64 field). Prepended data and comments are found as `zipfile` finds them.
"""

import os
import stat
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Literal, NamedTuple

from jobs.archives.members import MIB, ArchiveError, corrupt, joined

# Fields that nothing here needs are padding (x).
# disk, entries, directory's size and offset, comment length
_END = struct.Struct("<4xH4xH2IH")
# disk, entries, directory's size and offset
_END64 = struct.Struct("<16xI12x3Q")
_LOCATOR_BYTES = 20
# flags, method, packed, size, length of name, extra and comment, attributes, offset
_ENTRY = struct.Struct("<8x2H8x2I3H4x2I")
_LOCAL_BYTES = 30
_MAX_COMMENT = 0xFFFF
_IN_ZIP64 = 0xFFFF_FFFF
_ZIP64_TAG = 0x0001
_UNICODE_PATH_TAG = 0x7075  # 4.6.9: version 1, CRC-32 of the plain name, name in UTF-8
_UNICODE_PATH = struct.Struct("<BI")
_FIELD = struct.Struct("<HH")
# Entries between two beats.
_ENTRIES_A_BEAT = 1000

EntryKind = Literal["file", "folder", "symlink", "device"]
# What a Unix says of a file; 0 where the writer was none.
_KINDS: dict[int, EntryKind] = {0: "file", stat.S_IFREG: "file", stat.S_IFDIR: "folder"}
_KINDS[stat.S_IFLNK] = "symlink"


class Directory(NamedTuple):
    """Where the central directory stands."""

    start: int  # byte in the file
    size: int  # bytes
    entries: int  # as declared; old writers keep only the low 16 bits
    shift: int  # bytes prepended to the archive, to add to every offset it states


class Entry(NamedTuple):
    """One entry of the central directory."""

    number: int  # its place, counted from 1
    name: bytes
    offset: int  # of the local header, byte in the file
    least: int  # bytes that local header and data take at the least
    packed: int  # bytes of data
    size: int  # uncompressed bytes
    flags: int
    method: int
    kind: EntryKind


def find_directory(file: BinaryIO) -> Directory:
    """The central directory, by the end record in the file's last 64 KiB."""
    end = file.seek(0, os.SEEK_END)
    base = max(end - _END.size - _MAX_COMMENT, 0)
    file.seek(base)
    tail = file.read(end - base)
    at = len(tail)
    # From the back; what only looks like an end record, in a comment, points at no directory.
    while (at := tail.rfind(b"PK\x05\x06", 0, at)) >= 0:
        directory = _directory_of(file, tail[at : at + _END.size], base + at, end)
        if directory is not None:
            _check_is_one(file, directory)
            return directory
    return corrupt("The file has no zip directory at its end: it was cut short or is no zip")


def _directory_of(file: BinaryIO, record: bytes, position: int, end: int) -> Directory | None:
    """The directory that an end record points at; None where it points at none."""
    if len(record) < _END.size:
        return None
    disk, entries, size, offset, comment = _END.unpack(record)
    if position + _END.size + comment > end:
        return None
    end64 = _read_end64(file, position)
    if end64 is not None:
        disk, entries, size, offset = end64
        position -= _LOCATOR_BYTES + _END64.size
    start = position - size
    if start < 0 or (size and _read_at(file, start, 4) != b"PK\x01\x02"):
        return None
    if disk:
        raise ArchiveError(
            "unsupported_archive",
            f"The zip is part {disk + 1} of a split archive. Join the parts (`zip -s 0`) first.",
        )
    return Directory(start, size, entries, start - offset)


def _check_is_one(file: BinaryIO, directory: Directory) -> None:
    """Refuse a zip before which another one ends; a program that unpacks it may stand there."""
    base = max(directory.shift - _END.size - _MAX_COMMENT, 0)
    before = _read_at(file, base, max(directory.shift - base, 0))
    at = before.rfind(b"PK\x05\x06")
    if 0 <= at <= len(before) - _END.size:
        *_, comment = _END.unpack_from(before, at)
        if at + _END.size + comment == len(before):
            joined("zip")


def _read_end64(file: BinaryIO, position: int) -> tuple[int, ...] | None:
    """The zip64 end record before the end record at `position`, if there is one."""
    before = position - _LOCATOR_BYTES - _END64.size
    if before < 0:
        return None
    both = _read_at(file, before, _END64.size + _LOCATOR_BYTES)
    if both[:4] != b"PK\x06\x06" or both[_END64.size :][:4] != b"PK\x06\x07":
        return None
    return _END64.unpack_from(both)


def _read_at(file: BinaryIO, position: int, count: int) -> bytes:
    file.seek(position)
    return file.read(count)


class _Range:
    """A byte range read forwards. Seeks before each piece: the caller may move the file."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file, self._next, self._stop = file, start, start + size
        self._piece, self._at = b"", 0

    def take(self, count: int) -> bytes:
        """The next `count` bytes; fewer where the range ends."""
        if self._at + count > len(self._piece):
            wanted = min(max(count, MIB), self._stop - self._next)
            self._piece = self._piece[self._at :] + _read_at(self._file, self._next, wanted)
            self._next, self._at = min(self._next + wanted, self._stop), 0
        self._at += count
        return self._piece[self._at - count : self._at]


def entries(
    file: BinaryIO, directory: Directory, beat: Callable[[], None] = lambda: None
) -> Iterator[Entry]:
    """Every entry in the directory's own order, which is the user's."""
    source = _Range(file, directory.start, directory.size)
    read = 0
    while fixed := source.take(_ENTRY.size):
        read += 1
        if read % _ENTRIES_A_BEAT == 0:
            beat()
        if len(fixed) < _ENTRY.size or not fixed.startswith(b"PK\x01\x02"):
            corrupt(f"Entry {read:,} of the zip directory is broken")
        yield _entry(fixed, source, read, directory.shift)
    if (read ^ directory.entries) & 0xFFFF:
        corrupt(f"The zip directory declares {directory.entries:,} entries and has {read:,}")


def _entry(fixed: bytes, source: _Range, number: int, shift: int) -> Entry:
    flags, method, packed, size, *lengths, attributes, offset = _ENTRY.unpack(fixed)
    name_length, extra_length, _ = lengths
    variable = source.take(sum(lengths))
    if len(variable) < sum(lengths):
        corrupt(f"Entry {number:,} of the zip directory is cut short")
    name = variable[:name_length]
    least = _LOCAL_BYTES + name_length
    if _IN_ZIP64 in (size, packed, offset):
        extra = variable[name_length : name_length + extra_length]
        size, packed, offset = _from_zip64(extra, (size, packed, offset), number)
    if extra_length:
        name = _unicode_path(variable[name_length : name_length + extra_length], name)
    kind = _KINDS.get(stat.S_IFMT(attributes >> 16), "device")
    if kind == "file" and name.endswith((b"/", b"\\")):
        kind = "folder"
    return Entry(number, name, offset + shift, least + packed, packed, size, flags, method, kind)


def _fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of an extra field, by their tags (4.5.1)."""
    at = 0
    while at + _FIELD.size <= len(extra):
        tag, length = _FIELD.unpack_from(extra, at)
        at += _FIELD.size
        yield tag, extra[at : at + length]
        at += length


def _unicode_path(extra: bytes, name: bytes) -> bytes:
    """The name in UTF-8 that the extra field keeps of this very name, else the name."""
    for tag, field in _fields(extra):
        if tag == _UNICODE_PATH_TAG and len(field) > _UNICODE_PATH.size:
            version, crc = _UNICODE_PATH.unpack_from(field)
            if version == 1 and crc == zlib.crc32(name):
                return field[_UNICODE_PATH.size :]
    return name


def _from_zip64(extra: bytes, values: tuple[int, ...], number: int) -> list[int]:
    """Size, packed size and offset, with those that did not fit in 32 bits taken from `extra`."""
    for tag, field in _fields(extra):
        if tag == _ZIP64_TAG:
            wide = iter(struct.unpack_from(f"<{len(field) // 8}Q", field))
            try:
                return [next(wide) if value == _IN_ZIP64 else value for value in values]
            except StopIteration:
                corrupt(f"The zip64 field of entry {number:,} of the zip directory is too short")
    return list(values)  # exactly 4 GiB - 1: legal, if odd
