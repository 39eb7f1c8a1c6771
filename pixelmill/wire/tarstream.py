"""A tar archive made while it is being sent: never on disk, never whole in memory.

    entries ──► header, bytes, padding of each ──► blocks of about 256 KiB

The same files give the same bytes, so that a repeated upload is a true repetition.
"""

import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pixelmill.wire.errors import InvalidInput

# Larger than most pictures, so that few writes carry many of them.
BLOCK_BYTES = 256 * 1024
_END = bytes(2 * tarfile.BLOCKSIZE)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file to send, and the name that its result will carry."""

    name: str
    path: Path

    def content(self) -> tuple[int, Iterator[bytes]]:
        """Give the number of its bytes, and these; raises InvalidInput if it cannot be read."""
        size = file_size(self.path)
        return size, read_blocks(self.path, size)


@dataclass(frozen=True, slots=True)
class Made:
    """A file that is made when its turn comes, each time to the same bytes."""

    name: str
    make: Callable[[], bytes]

    def content(self) -> tuple[int, Iterator[bytes]]:
        """Give the number of its bytes, and these."""
        made = self.make()
        return len(made), iter((made,))


def tar_stream(entries: Iterable[Entry | Made]) -> Iterator[bytes]:
    """Give the archive of `entries`, in their order, block by block."""
    return _coalesce(_pieces(entries))


def file_size(path: Path) -> int:
    """Give a file's size in bytes; raises InvalidInput if it cannot be read."""
    try:
        return path.stat().st_size
    except OSError as err:
        raise InvalidInput(f"{path} cannot be read: {err.strerror or err}.") from err


def read_blocks(path: Path, size: int) -> Iterator[bytes]:
    """Give the `size` bytes of a file, no more and no fewer, because that many were announced.

    Raises InvalidInput if it cannot be read, or if it has another size by now.
    """
    left = size
    try:
        with path.open("rb") as file:
            while block := file.read(min(BLOCK_BYTES, left + 1)):
                left -= len(block)
                if left < 0:
                    break
                yield block
    except OSError as err:
        raise InvalidInput(f"{path} cannot be read: {err.strerror or err}.") from err
    if left:
        raise InvalidInput(f"{path} changed while it was being sent; submit again.")


def _pieces(entries: Iterable[Entry | Made]) -> Iterator[bytes]:
    for entry in entries:
        yield from _member(entry)
    yield _END


def _member(entry: Entry | Made) -> Iterator[bytes]:
    info = tarfile.TarInfo(entry.name)
    # The size is in the header, so it has to be known before the bytes are.
    info.size, blocks = entry.content()
    yield info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")
    yield from blocks
    yield bytes(-info.size % tarfile.BLOCKSIZE)


def _coalesce(pieces: Iterable[bytes]) -> Iterator[bytes]:
    pending = bytearray()
    for piece in pieces:
        pending += piece
        if len(pending) >= BLOCK_BYTES:
            yield bytes(pending)
            pending.clear()
    if pending:
        yield bytes(pending)
