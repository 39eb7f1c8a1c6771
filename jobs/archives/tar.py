"""Tar: headers in a row, each before its data, 512 bytes at a time.

Read by hand, for `tarfile` (3.11) keeps every member, recurses once for each extended header,
reads a long name of any size into memory, and takes a broken header for the end of the archive:
items would be lost in silence. Layout: POSIX.1-2008 pax "ustar Interchange Format"; GNU long
names and sparse files: GNU tar manual, "Basic Tar Format".
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple, NoReturn, TypeVar

from jobs.archives.members import (
    MIB,
    ArchiveError,
    Limits,
    Member,
    check_count,
    check_total,
    is_dropping,
    label,
    shown,
)

T = TypeVar("T")

BLOCK = 512
_ZEROS = bytes(BLOCK)
_REGULAR = (b"0", b"\0", b"7")  # 7: "contiguous", a regular file everywhere today
_WITHOUT_DATA = (b"1", b"2", b"3", b"4", b"5", b"6")  # links, devices, folders, FIFOs
_GNU_SPARSE = b"S"
_GNU_LONG_NAME = b"L"
_PAX = (b"x", b"X")
_GNU_LONG_LINK = b"K"
_PAX_GLOBAL = b"g"
# Extended headers describe the entry after them. Those for link targets and for the whole archive
# are passed over: a path or a size for every entry would be nonsense.
_READ = (_GNU_LONG_NAME, *_PAX)
_EXTENDED = (*_READ, _GNU_LONG_LINK, _PAX_GLOBAL)
_NAME_FIELDS = ((0, 100), (345, 500))
_MAX_EXTENDED_BYTES = MIB  # a path has at most some KiB; without a cap this is one big read


@dataclass(slots=True)
class _Overrides:
    """What extended headers say about the entry after them."""

    name: bytes | None = None
    size: int | None = None
    sparse: bool = False


class _Entry(NamedTuple):
    name: str
    offset: int  # of the data
    size: int
    regular: bool


def walk_tar(file: BinaryIO, limits: Limits) -> Iterator[Member]:
    """The regular members of a plain tar, in its order. `file` must be seekable.

    Reads the headers only and remembers none. Members leave before the rest has been read, so the
    caller must be ready to throw away what it has when a later header is refused.

    Raises ArchiveError: `corrupt_archive` for a broken header, and for a tar without its end
    mark (a cut upload must not pass as a smaller job); `archive_too_large` past a limit.
    """
    total = 0
    for count, entry in enumerate(_entries(file, file.seek(0, os.SEEK_END)), start=1):
        check_count(count, limits)
        if not entry.regular:
            continue
        total += entry.size
        check_total(total, limits)
        if not is_dropping(entry.name):
            yield Member(entry.name, entry.offset, entry.size, entry.size, "raw")


def is_header(block: bytes) -> bool:
    """Whether 512 bytes are a tar header: by its checksum, which even the oldest tars have."""
    field = block[148:156].strip(b" \0")
    if len(block) != BLOCK or not field.isdigit():
        return False
    try:
        stated = int(field, 8)
    except ValueError:
        return False
    body = block[:148] + b" " * 8 + block[156:]
    excess = sum(body) - stated
    # Some old tars summed signed bytes: less by 256 for each that is over 127.
    return excess == 0 or excess == 256 * sum(byte > 127 for byte in body)


def _entries(file: BinaryIO, end: int) -> Iterator[_Entry]:
    """Every entry up to the end mark, with what its extended headers say applied."""
    position = 0
    overrides = _Overrides()
    while (block := _read(file, position, BLOCK, end)) != _ZEROS:
        if not is_header(block):
            _corrupt(f"The tar header at byte {position:,} is broken: its checksum is wrong")
        kind, size, data = block[156:157], _number(block[124:136], position), position + BLOCK
        if kind in _EXTENDED:
            if kind in _READ:
                _extend(overrides, kind, _payload(file, data, size, end), position)
        else:
            size = 0 if kind in _WITHOUT_DATA else _first(overrides.size, size)
            if kind == _GNU_SPARSE:
                data = _skip_sparse_map(file, block, data, end)
            name = label(_first(overrides.name, _ustar_name(block)), "latin-1")
            regular = kind in _REGULAR and not overrides.sparse and not name.endswith("/")
            if data + size > end:
                _corrupt(f"The tar ends within {shown(name)}, whose data begins at byte {data:,}")
            yield _Entry(name, data, size, regular)
            overrides = _Overrides()
        position = data + -(-size // BLOCK) * BLOCK


def _extend(overrides: _Overrides, kind: bytes, payload: bytes, position: int) -> None:
    if kind == _GNU_LONG_NAME:
        overrides.name = payload.rstrip(b"\0")
        return
    for key, value in _pax_records(payload, position):
        if key == b"path":
            overrides.name = value
        elif key == b"size":
            overrides.size = _decimal(value, position)
        elif key.startswith(b"GNU.sparse."):
            overrides.sparse = True


def _pax_records(payload: bytes, position: int) -> Iterator[tuple[bytes, bytes]]:
    """Records of the form "27 path=a/name\\n", the length counting the whole record."""
    payload = payload.rstrip(b"\0")
    at = 0
    while at < len(payload):
        space = payload.find(b" ", at, at + 20)
        # -1, no space, leaves nothing to be a number
        stop = at + _decimal(payload[at : max(space, at)], position)
        key, _, value = payload[space + 1 : stop].partition(b"=")
        if not value.endswith(b"\n") or stop > len(payload):
            _corrupt(f"The tar's extended header at byte {position:,} is broken")
        yield key, value[:-1]
        at = stop


def _skip_sparse_map(file: BinaryIO, block: bytes, data: int, end: int) -> int:
    """Where a GNU sparse entry's data begins: behind the blocks that map its holes."""
    more = block[482]
    while more:
        more = _read(file, data, BLOCK, end)[504]
        data += BLOCK
    return data


def _payload(file: BinaryIO, data: int, size: int, end: int) -> bytes:
    if size > _MAX_EXTENDED_BYTES:
        _corrupt(f"The tar's extended header before byte {data:,} claims {size:,} bytes")
    return _read(file, data, size, end)


def _read(file: BinaryIO, position: int, count: int, end: int) -> bytes:
    """`count` bytes at `position`: the caller may have moved the file between two members."""
    if position + count > end:
        _corrupt(f"The tar ends at byte {end:,} without its end mark: it was cut short")
    file.seek(position)
    block = file.read(count)
    if len(block) != count:
        _corrupt(f"The tar could not be read to the end at byte {position:,}")
    return block


def _ustar_name(block: bytes) -> bytes:
    name, prefix = (block[start:stop].split(b"\0", 1)[0] for start, stop in _NAME_FIELDS)
    # GNU tars keep other things where ustar keeps the prefix.
    return prefix + b"/" + name if prefix and block[257:263] == b"ustar\0" else name


def _number(field: bytes, position: int) -> int:
    """A size: octal, or GNU's base 256 with the top bit set for what octal cannot hold."""
    if field[0] & 0x80:
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    digits = field.strip(b" \0") or b"0"
    if digits.strip(b"01234567"):
        _corrupt(f"The tar header at byte {position:,} is broken: its size is {digits!r}")
    return int(digits, 8)


def _decimal(digits: bytes, position: int) -> int:
    if not digits.isdigit() or len(digits) > 20:
        _corrupt(f"The tar's extended header at byte {position:,} is broken: {digits[:20]!r}")
    return int(digits)


def _first(override: T | None, otherwise: T) -> T:
    return otherwise if override is None else override


def _corrupt(fault: str) -> NoReturn:
    raise ArchiveError("corrupt_archive", f"{fault}. Pack the archive again and upload it anew.")
