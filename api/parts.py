"""The parts of a multipart body, lying end to end in one temporary file."""

import hashlib
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import IO, Any, BinaryIO, cast

from jobs.errors import InvalidRequest

_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Part:
    """One part; `filename` is None for a plain field, `length` is in bytes."""

    name: str
    filename: str | None
    length: int
    stream: BinaryIO

    def chunks(self) -> Iterator[bytes]:
        """Read the part from its beginning, piece by piece."""
        self.stream.seek(0)
        return iter(partial(self.stream.read, _CHUNK), b"")

    def head(self, length: int) -> bytes:
        """Read the first bytes, and stand at the beginning again."""
        self.stream.seek(0)
        head = self.stream.read(length)
        self.stream.seek(0)
        return head

    def text(self, longest: int) -> str:
        """Read a short part as text; raises InvalidRequest when it is none, or is too long."""
        if self.length > longest:
            raise InvalidRequest(
                f"The part `{self.name}` has {self.length:,} bytes; at most {longest:,} may be.",
                param=self.name,
            )
        try:
            text = self.head(longest).decode("utf-8-sig")
        except UnicodeDecodeError as err:
            message = f"The part `{self.name}` is not UTF-8 text: {err}."
            raise InvalidRequest(message, param=self.name) from err
        if "\0" in text:
            # PostgreSQL stores none and looks for none.
            message = f"The part `{self.name}` has a NUL character, which no text needs."
            raise InvalidRequest(message, param=self.name)
        return text


class Parts:
    """All parts of one body."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts

    def named(self, name: str) -> list[Part]:
        """Give the parts of a name, in their order."""
        return [part for part in self._parts if part.name == name]

    def only(self, name: str, example: str) -> Part:
        """Give the one part of a name; raises InvalidRequest when there are none or several."""
        found = self.named(name)
        if len(found) != 1:
            raise InvalidRequest(
                f"The body has {len(found)} parts called `{name}`; send exactly one, {example}.",
                param=name,
            )
        return found[0]

    def digests(self) -> list[tuple[str, str | None, str]]:
        """Give what identifies the body, whatever its boundary was: names and SHA-256 sums."""
        return [(part.name, part.filename, _sha256(part)) for part in self._parts]


def window(file: IO[bytes], start: int, length: int) -> BinaryIO:
    """Give a run of bytes of a file as a file of its own."""
    # A RawIOBase has all of BinaryIO's methods but is not its subclass.
    return cast("BinaryIO", _Window(file, start, length))


def _sha256(part: Part) -> str:
    digest = hashlib.sha256()
    for chunk in part.chunks():
        digest.update(chunk)
    part.stream.seek(0)
    return digest.hexdigest()


class _Window(io.RawIOBase):
    def __init__(self, file: IO[bytes], start: int, length: int) -> None:
        self._file, self._start, self._length = file, start, length
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._length}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Any, /) -> int:
        # Windows on one file share its position, so each goes to its own place first.
        self._file.seek(self._start + self._position)
        data = self._file.read(max(0, min(len(buffer), self._length - self._position)))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)
