"""The parts of a body: short ones end to end in one file, a long one in a blob of its own."""

import hashlib
import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import IO, Any, BinaryIO, cast

from jobs.base.errors import InvalidRequest
from jobs.base.storage import Storage

_CHUNK = 1024 * 1024
# A part of more bytes goes to storage while it comes.
LONG = 8 * 1024 * 1024


@dataclass(slots=True)
class StagedBlob:
    """A blob that is erased with its request, unless somebody takes it over."""

    name: str
    sha256: str
    is_taken: bool = False

    def take(self) -> str:
        """Give the blob's name to whoever answers for it from now on."""
        self.is_taken = True
        return self.name


@dataclass(frozen=True, slots=True)
class Part:
    """One part; `filename` is None for a plain field, `length` is in bytes.

    `blob` is where a long part lies in storage, None for a short one.
    """

    name: str
    filename: str | None
    length: int
    stream: BinaryIO
    blob: StagedBlob | None = None

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


class PartWriter:
    """Writes one part to the end of a spool, and to a blob instead once it is long."""

    def __init__(
        self,
        spool: IO[bytes],
        storage: Storage,
        blob_name: Callable[[], str],
        name: str,
        filename: str | None,
    ) -> None:
        self._spool, self._storage, self._blob_name = spool, storage, blob_name
        self._name, self._filename = name, filename
        self._start = spool.seek(0, os.SEEK_END)
        self._length = 0
        self._sha256 = hashlib.sha256()
        self._blob = ""
        self._creation: AbstractContextManager[BinaryIO] | None = None
        self._sink: BinaryIO | None = None
        self._staged: StagedBlob | None = None

    def write(self, data: bytes | bytearray) -> None:
        """Take the next bytes; raises StorageError."""
        self._length += len(data)
        if self._sink is None and self._length > LONG:
            self._begin_blob()
        if self._sink is None:
            self._spool.write(data)
        else:
            self._sha256.update(data)
            self._sink.write(data)

    def end(self) -> Part:
        """Give the part, which is whole now."""
        if self._creation is None:
            stream = _window(self._spool, self._start, self._length)
            return Part(self._name, self._filename, self._length, stream)
        creation, self._creation = self._creation, None
        creation.__exit__(None, None, None)
        self._staged = StagedBlob(self._blob, self._sha256.hexdigest())
        stream = self._storage.open(self._blob)
        return Part(self._name, self._filename, self._length, stream, self._staged)

    def drop(self) -> None:
        """Erase what was written, unless it was taken over; may be called again."""
        if self._creation is not None:
            creation, self._creation = self._creation, None
            # A blob whose writing ends by an exception never comes to exist.
            dropped = _DroppedError()
            creation.__exit__(type(dropped), dropped, None)
        if self._staged is not None and not self._staged.is_taken:
            self._staged.is_taken = True
            self._storage.delete([self._staged.name])

    def _begin_blob(self) -> None:
        self._blob = self._blob_name()
        creation = self._storage.create(self._blob)
        self._sink = creation.__enter__()
        self._creation = creation
        self._spool.seek(self._start)
        for chunk in iter(partial(self._spool.read, _CHUNK), b""):
            self._sha256.update(chunk)
            self._sink.write(chunk)
        self._spool.seek(self._start)
        self._spool.truncate()


class _DroppedError(Exception):
    """The part is not wanted any more."""


def _window(file: IO[bytes], start: int, length: int) -> BinaryIO:
    """Give a run of bytes of a file as a file of its own."""
    # A RawIOBase has all of BinaryIO's methods but is not its subclass.
    return cast("BinaryIO", _Window(file, start, length))


def _sha256(part: Part) -> str:
    if part.blob is not None:
        return part.blob.sha256
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
