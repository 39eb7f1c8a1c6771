"""Multipart bodies of any size in bounded memory.

All parts of a body, text fields too, go end to end into one temporary file. Werkzeug's own form
parser would keep fields in memory and open a file a part, so that one body of fifty thousand images
could use up either.
"""

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, BinaryIO, cast

from flask import request
from werkzeug.exceptions import BadRequest
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from jobs.errors import InvalidRequest, TooLarge

_CHUNK = 256 * 1024
# What the parser may hold back at once: a chunk and one part's headers.
_MOST_BUFFERED = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the body; `filename` is None for a plain field."""

    name: str
    filename: str | None
    length: int
    stream: BinaryIO

    def text(self, longest: int) -> str:
        """Read a short part as text; raises InvalidRequest when it is none, or is too long."""
        if self.length > longest:
            raise InvalidRequest(
                f"The part `{self.name}` has {self.length:,} bytes; at most {longest:,} may be.",
                param=self.name,
            )
        self.stream.seek(0)
        try:
            return self.stream.read().decode("utf-8-sig")
        except UnicodeDecodeError as err:
            raise InvalidRequest(f"The part `{self.name}` is not UTF-8: {err}.") from err


@contextmanager
def read_parts(max_parts: int) -> Iterator[list[Part]]:
    """Read the request's body into parts that can be read inside the block."""
    boundary = parse_options_header(request.content_type)[1].get("boundary", "")
    if not boundary:
        raise BadRequest("The content type multipart/form-data has no boundary.")
    decoder = MultipartDecoder(boundary.encode(), _MOST_BUFFERED)
    with tempfile.TemporaryFile() as spool:
        parts: list[Part] = []
        try:
            for part in _parts(decoder, spool):
                parts.append(part)
                if len(parts) > max_parts:
                    raise TooLarge(f"The body has more than {max_parts:,} parts, the limit here.")
        except ValueError as err:
            raise BadRequest(f"The multipart body cannot be read: {err}.") from err
        yield parts


def _parts(decoder: MultipartDecoder, spool: IO[bytes]) -> Iterator[Part]:
    part: File | Field | None = None
    start = 0
    for event in _events(decoder):
        if isinstance(event, File | Field):
            part, start = event, spool.tell()
        elif isinstance(event, Data) and part is not None:
            spool.write(event.data)
            if not event.more_data:
                length = spool.tell() - start
                # A RawIOBase has all of BinaryIO's methods but is not its subclass.
                stream = cast(BinaryIO, _Window(spool, start, length))
                yield Part(part.name or "", getattr(part, "filename", None), length, stream)


def _events(decoder: MultipartDecoder) -> Iterator[object]:
    while True:
        decoder.receive_data(request.stream.read(_CHUNK) or None)
        event = decoder.next_event()
        while not isinstance(event, Epilogue | NeedData):
            yield event
            event = decoder.next_event()
        if isinstance(event, Epilogue):
            return


class _Window(io.RawIOBase):
    """A run of bytes of a file, as a file of its own."""

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
        wanted = max(0, min(len(buffer), self._length - self._position))
        self._file.seek(self._start + self._position)
        data = self._file.read(wanted)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)
