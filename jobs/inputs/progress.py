"""Progress of a walk through an input, by the bytes that it reads: what keeps its turn alive.

A walk may go on for minutes before its first item comes, as in a tar of headers and nothing else,
and is alive; one that reads nothing new, or the same again and again, is not.
"""

import io
from collections.abc import Callable
from typing import Any, BinaryIO, cast

# A zip's directory is walked twice and a 7z's read once more; this leaves room for seeking about.
_MOST_TIMES = 8
_MOST_BESIDE = 64 * 1024 * 1024


class Progress:
    """Passes beats on as long as bytes are read, `size` being those that there are."""

    def __init__(self, size: int, beat: Callable[[], None]) -> None:
        self._beat = beat
        self._left = _MOST_TIMES * size + _MOST_BESIDE
        self._has_moved = False

    def beat(self) -> None:
        """Pass a beat on if anything was read since the last one."""
        if self._has_moved:
            self._has_moved = False
            self._beat()

    def read(self, count: int) -> None:
        """Take note of bytes that were read; beats."""
        if count > 0 and self._left > 0:
            self._left -= count
            self._has_moved = True
        self.beat()

    def watch(self, file: BinaryIO) -> BinaryIO:
        """Give the same file, whose reads are taken note of."""
        # A RawIOBase has all of BinaryIO's methods but is not its subclass.
        return cast("BinaryIO", _Watched(file, self))


class _Watched(io.RawIOBase):
    def __init__(self, file: BinaryIO, progress: Progress) -> None:
        self._file, self._progress = file, progress

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def read(self, size: int | None = -1, /) -> bytes:
        data = self._file.read(-1 if size is None else size)
        self._progress.read(len(data))
        return data

    def readinto(self, buffer: Any, /) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
