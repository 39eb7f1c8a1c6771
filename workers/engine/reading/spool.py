"""An item's bytes in a private file: videos are too large for memory, and decoders want to seek.

The file has no name in any folder, so nobody else can open it, and it is gone with the process
however that ends. It lies where Python's `tempfile` says (TMPDIR).
"""

import errno
import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from models.records.errors import VideoTooLarge
from workers.engine.figures import timed


class DiskFull(Exception):
    """There is no room for an item on the worker's disk."""


@dataclass(frozen=True, slots=True)
class Spooled:
    """A whole item on disk: its size in bytes, and the hex digest of its SHA-256."""

    file: BinaryIO
    size: int
    sha256: str


@contextmanager
def spooled(parts: Iterable[bytes | memoryview], max_bytes: int) -> Iterator[Spooled]:
    """Write an item's bytes to a file that lasts as long as the block, hashing them on the way.

    Raises VideoTooLarge, DiskFull, and what `parts` raise.
    """
    with tempfile.TemporaryFile() as file:
        digest, size = hashlib.sha256(), 0
        try:
            with timed("read"):
                for part in parts:
                    size += len(part)
                    if size > max_bytes:
                        raise too_large(size, max_bytes)
                    digest.update(part)
                    file.write(part)
                file.flush()
        except OSError as err:
            if err.errno != errno.ENOSPC:
                raise
            raise DiskFull(f"The worker's disk has no room for {size:,} bytes.") from err
        yield Spooled(file, size, digest.hexdigest())


def too_large(size: int, limit: int) -> VideoTooLarge:
    """Make the error for an item of more bytes than its model takes."""
    return VideoTooLarge(f"The video has {size:,} bytes; this model takes at most {limit:,}.")
