"""The headers of a tar, one entry at a time: what it is, and where its bytes lie.

Read by hand, for `tarfile` (3.11) keeps every member, recurses once for each extended header,
reads a long name of any size into memory, and takes a broken header for the end of the archive:
items would be lost in silence. Layout: POSIX.1-2008 pax "ustar Interchange Format"; GNU long
names and sparse files: GNU tar manual, "Basic Tar Format" and "Storing Sparse Files".
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Literal, NamedTuple, TypeVar

import numpy as np

from jobs.archives.members import MIB, Limits, corrupt

T = TypeVar("T")

EntryKind = Literal["file", "sparse", "folder", "symlink", "hardlink", "device"]

BLOCK = 512
_ZEROS = bytes(BLOCK)
# 7: "contiguous", a regular file everywhere today. Kinds that nobody knows are files, too (POSIX).
_KINDS: dict[bytes, EntryKind] = {
    b"1": "hardlink",
    b"2": "symlink",
    b"3": "device",
    b"4": "device",
    b"5": "folder",
    b"6": "device",
    b"S": "sparse",
    b"D": "folder",  # GNU: a folder and the names in it
    b"M": "device",  # GNU: the rest of a file that another volume began
    b"N": "device",  # GNU: long names, as they were kept before 1.12
    b"V": "device",  # GNU: the volume's label
    b"A": "device",  # Solaris: an access control list
    b"I": "device",  # Solaris: an inode without data
}
_WITHOUT_DATA = (b"1", b"2", b"3", b"4", b"5", b"6")
_GNU_LONG_NAME = b"L"
_GNU_LONG_LINK = b"K"
_PAX = (b"x", b"X")
_PAX_GLOBAL = b"g"
# Extended headers describe the entry after them. The one for the whole archive is passed over:
# a path or a size for every entry would be nonsense.
_READ = (_GNU_LONG_NAME, _GNU_LONG_LINK, *_PAX)
_EXTENDED = (*_READ, _PAX_GLOBAL)
_LINK_FIELD = slice(157, 257)
_MAGIC = slice(257, 262)
_LINKS = ("hardlink", "symlink")
# Headers between two beats; blocks that map one sparse file, at 21 pieces a block.
_HEADERS_A_BEAT = 500
_MAX_MAP_BLOCKS = 5000


@dataclass(slots=True)
class Overrides:
    """What extended headers say about the entry after them."""

    name: bytes | None = None
    link: bytes | None = None
    size: int | None = None
    sparse: dict[bytes, bytes] = field(default_factory=dict)  # without the map
    start: int | None = None  # of the first that speaks of a sparse file
    count: int = 0


class Entry(NamedTuple):
    """One entry, with what its extended headers say applied."""

    name: bytes
    link: bytes  # what a link points at
    kind: EntryKind
    offset: int  # of the data; sparse: of the first header that maps it
    length: int  # bytes from there on
    size: int  # of the file; sparse: -1 where none is stated


def entries(file: BinaryIO, end: int, limits: Limits, beat: Callable[[], None]) -> Iterator[Entry]:
    """Every entry of a tar of `end` bytes, and of the tars that are joined to it."""
    position, headers = 0, 0
    overrides = Overrides()
    while True:
        block = read_at(file, position, BLOCK, end)
        headers += 1
        if headers % _HEADERS_A_BEAT == 0:
            beat()
        if block == _ZEROS and not overrides.count:
            following = _next_archive(file, position, end, beat)
            if following is None:
                return
            position = following
            continue
        if not is_header(block):
            corrupt(f"The tar header at byte {position:,} is broken: its checksum is wrong")
        kind, size, data = block[156:157], number(block[124:136], position), position + BLOCK
        if kind in _EXTENDED:
            _extend(overrides, kind, _payload(file, kind, data, size, end, limits), position)
            if overrides.count > limits.max_headers_in_row:
                corrupt(
                    f"The tar has more than {limits.max_headers_in_row:,} extended headers in a "
                    f"row before byte {data:,}"
                )
            position = data + padded(size)
            continue
        entry, position = _entry(file, block, position, overrides, end)
        yield entry
        if overrides.count:
            overrides = Overrides()


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


def _entry(
    file: BinaryIO, block: bytes, position: int, overrides: Overrides, end: int
) -> tuple[Entry, int]:
    """The entry of a header, and where the next header stands."""
    flag, data = block[156:157], position + BLOCK
    name = _ustar_name(block) if overrides.name is None else overrides.name
    kind = _KINDS.get(flag, "file")
    stated = number(block[124:136], position)
    stored = 0 if flag in _WITHOUT_DATA else _first(overrides.size, stated)
    start, size = data, stored
    if kind == "sparse":
        data = _behind_sparse_map(file, block, data, end)
        start, size = position, number(block[483:495], position)
    elif overrides.sparse and kind == "file":
        kind, start = "sparse", _first(overrides.start, position)
        size = _stated_size(overrides.sparse, position)
        name = overrides.sparse.get(b"GNU.sparse.name", name)
    elif kind == "file" and name.endswith(b"/"):
        kind = "folder"
    stop = data + stored
    if stop > end:
        shown = name[:200].decode("utf-8", "replace")
        corrupt(f"The tar ends within {shown!r}, whose data begins at byte {data:,}")
    link = overrides.link or (block[_LINK_FIELD].split(b"\0", 1)[0] if kind in _LINKS else b"")
    return Entry(name, link, kind, start, stop - start, size), data + padded(stored)


def _stated_size(fields: dict[bytes, bytes], position: int) -> int:
    """The size of a sparse file: `realsize` in version 1.0, `size` in 0.0 and 0.1."""
    for key in (b"GNU.sparse.realsize", b"GNU.sparse.size"):
        if key in fields:
            return decimal(fields[key], position)
    return -1


def _next_archive(file: BinaryIO, position: int, end: int, beat: Callable[[], None]) -> int | None:
    """The next header behind an end mark, where tars were joined; None for padding.

    Zeros are padding, and so is what old tars leave in their last record: anything that has no
    header's magic at a block's beginning.
    """
    position += BLOCK
    while position < end:
        beat()
        piece = read_at(file, position, min(MIB, end - position), end)
        blocks = np.frombuffer(piece, np.uint8)[: len(piece) // BLOCK * BLOCK].reshape(-1, BLOCK)
        known = (blocks[:, _MAGIC] == np.frombuffer(b"ustar", np.uint8)).all(axis=1)
        # A header older than ustar counts where nothing but zeros stand before it.
        filled = np.flatnonzero(blocks.any(axis=1))
        for index in (*filled[:1], *np.flatnonzero(known)):
            if is_header(piece[index * BLOCK : (index + 1) * BLOCK]):
                return int(position + index * BLOCK)
        position += MIB
    return None


def _extend(overrides: Overrides, kind: bytes, payload: bytes, position: int) -> None:
    overrides.count += 1
    if kind == _GNU_LONG_NAME:
        overrides.name = payload.rstrip(b"\0")
    elif kind == _GNU_LONG_LINK:
        overrides.link = payload.rstrip(b"\0")
    elif kind in _PAX:
        _apply_pax(overrides, payload, position)


def _apply_pax(overrides: Overrides, payload: bytes, position: int) -> None:
    for key, value in pax_records(payload, position):
        if key == b"path":
            overrides.name = value
        elif key == b"linkpath":
            overrides.link = value
        elif key == b"size":
            overrides.size = decimal(value, position)
        elif key.startswith(b"GNU.sparse."):
            overrides.start = _first(overrides.start, position)
            if key not in (b"GNU.sparse.map", b"GNU.sparse.offset", b"GNU.sparse.numbytes"):
                overrides.sparse[key] = value
            overrides.sparse.setdefault(b"", b"")


def pax_records(payload: bytes, position: int) -> Iterator[tuple[bytes, bytes]]:
    """Records of the form "27 path=a/name\\n", the length counting the whole record."""
    payload = payload.rstrip(b"\0")
    at = 0
    while at < len(payload):
        space = payload.find(b" ", at, at + 20)
        # -1, no space, leaves nothing to be a number
        stop = at + decimal(payload[at : max(space, at)], position)
        key, _, value = payload[space + 1 : stop].partition(b"=")
        if not value.endswith(b"\n") or stop > len(payload):
            corrupt(f"The tar's extended header at byte {position:,} is broken")
        yield key, value[:-1]
        at = stop


def _behind_sparse_map(file: BinaryIO, block: bytes, data: int, end: int) -> int:
    """Where a GNU sparse entry's data begins: behind the blocks that map its holes."""
    more, first = block[482], data
    while more:
        more = read_at(file, data, BLOCK, end)[504]
        data += BLOCK
        if data - first > _MAX_MAP_BLOCKS * BLOCK:
            corrupt(f"The sparse file before byte {data:,} of the tar has too many pieces")
    return data


def _payload(file: BinaryIO, kind: bytes, data: int, size: int, end: int, limits: Limits) -> bytes:
    if kind not in _READ:
        return b""
    if size > limits.max_header_bytes:
        corrupt(
            f"The tar's extended header before byte {data:,} claims {size:,} bytes, over the "
            f"{limits.max_header_bytes:,} that a name may take"
        )
    return read_at(file, data, size, end)


def read_at(file: BinaryIO, position: int, count: int, end: int) -> bytes:
    """`count` bytes at `position`: the caller may have moved the file between two members."""
    if position + count > end:
        corrupt(f"The tar ends at byte {end:,} without its end mark: it was cut short")
    file.seek(position)
    block = file.read(count)
    while block and len(block) < count and (more := file.read(count - len(block))):
        block += more
    if len(block) != count:
        corrupt(f"The tar could not be read to the end at byte {position:,}")
    return block


def _ustar_name(block: bytes) -> bytes:
    name = block[:100].split(b"\0", 1)[0]
    # GNU tars keep other things where ustar keeps the prefix.
    if block[345] and block[257:263] == b"ustar\0":
        return block[345:500].split(b"\0", 1)[0] + b"/" + name
    return name


def number(field: bytes, position: int) -> int:
    """A size: octal, or GNU's base 256 with the top bit set for what octal cannot hold."""
    if field[0] & 0x80:
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    digits = field.strip(b" \0") or b"0"
    if digits.strip(b"01234567"):
        corrupt(f"The tar header at byte {position:,} is broken: its size is {digits!r}")
    return int(digits, 8)


def decimal(digits: bytes, position: int) -> int:
    """A number in an extended header."""
    if not digits.isdigit() or len(digits) > 20:
        corrupt(f"The tar's extended header at byte {position:,} is broken: {digits[:20]!r}")
    return int(digits)


def padded(size: int) -> int:
    """Bytes with those that fill the last block."""
    return -(-size // BLOCK) * BLOCK


def _first(override: T | None, otherwise: T) -> T:
    return otherwise if override is None else override
