"""A tar archive made while it is being sent: never on disk, never whole in memory.

    entries ──► header, bytes, padding of each ──► blocks of about 256 KiB

The same files give the same bytes, so that a repeated upload is a true repetition.
"""

import os
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pixelmill.wire.errors import InvalidInput

# Larger than most pictures, so that few writes carry many of them.
BLOCK_BYTES = 256 * 1024
_END = bytes(2 * tarfile.BLOCKSIZE)


class Content(NamedTuple):
    """How many bytes there are, and what gives them from an offset on, in blocks."""

    size: int
    blocks: Callable[[int], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class Entry:
    """A file to send, and the name that its result will carry."""

    name: str
    path: Path

    def content(self) -> "Content":
        """Give the number of its bytes, and these; raises InvalidInput if it cannot be read."""
        size = file_size(self.path)
        return Content(size, partial(read_blocks, self.path, size))


@dataclass(frozen=True, slots=True)
class Made:
    """A file that is made when its turn comes, each time to the same bytes."""

    name: str
    make: Callable[[], bytes]

    def content(self) -> "Content":
        """Give the number of its bytes, and these."""
        made = self.make()
        return Content(len(made), lambda offset: iter((made[offset:],)))


def tar_stream(entries: Iterable[Entry | Made], offset: int = 0) -> Iterator[bytes]:
    """Give the archive of `entries`, in their order, block by block, from a byte on.

    Files that lie before that byte are not read.
    """
    return _coalesce(_pieces(entries, offset))


def tar_length(entries: Iterable[Entry], see: Callable[[Entry, os.stat_result], None]) -> int:
    """Give the length of the archive of `entries` without reading one; `see` is told of each."""
    length = len(_END)
    for entry in entries:
        stat = _stat(entry.path)
        see(entry, stat)
        length += len(_header(entry, stat.st_size)) + _padded(stat.st_size)
    return length


def file_size(path: Path) -> int:
    """Give a file's size in bytes; raises InvalidInput if it cannot be read."""
    return _stat(path).st_size


def read_blocks(path: Path, size: int, offset: int = 0) -> Iterator[bytes]:
    """Give a file's bytes from `offset` to `size`, exactly, because that many were announced.

    Raises InvalidInput if it cannot be read, or if it has another size by now.
    """
    left = size - offset
    try:
        with path.open("rb") as file:
            file.seek(offset)
            while block := file.read(min(BLOCK_BYTES, left + 1)):
                left -= len(block)
                if left < 0:
                    break
                yield block
    except OSError as err:
        raise InvalidInput(f"{path} cannot be read: {err.strerror or err}.") from err
    if left:
        raise InvalidInput(f"{path} changed while it was being sent; submit again.")


def _pieces(entries: Iterable[Entry | Made], offset: int) -> Iterator[bytes]:
    # Of what follows, so many bytes are not wanted.
    unwanted = offset
    for entry in entries:
        # The size is in the header, so it has to be known before the bytes are.
        content = entry.content()
        header = _header(entry, content.size)
        length = len(header) + _padded(content.size)
        if unwanted < length:
            yield from _member(header, content, unwanted)
        unwanted = max(0, unwanted - length)
    yield _END[unwanted:]


def _member(header: bytes, content: Content, unwanted: int) -> Iterator[bytes]:
    size = content.size
    yield header[unwanted:]
    unwanted = max(0, unwanted - len(header))
    yield from content.blocks(min(unwanted, size))
    yield bytes(-size % tarfile.BLOCKSIZE)[max(0, unwanted - size) :]


def _header(entry: Entry | Made, size: int) -> bytes:
    info = tarfile.TarInfo(entry.name)
    info.size = size
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def _padded(size: int) -> int:
    return size + -size % tarfile.BLOCKSIZE


def _stat(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as err:
        raise InvalidInput(f"{path} cannot be read: {err.strerror or err}.") from err


def _coalesce(pieces: Iterable[bytes]) -> Iterator[bytes]:
    pending = bytearray()
    for piece in pieces:
        pending += piece
        if len(pending) >= BLOCK_BYTES:
            yield bytes(pending)
            pending.clear()
    if pending:
        yield bytes(pending)
