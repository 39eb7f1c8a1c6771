"""The body of a request, taken in piece by piece, whoever reads it off the wire.

    JSON ─────► text, in memory or, when it is long, in a temporary file
    raw bytes ┐
    multipart ┴► parts: short ones end to end in one such file, a long one into a blob of its own

A long part goes to storage as it comes and is never copied again: the view takes its blob over.
What nobody has taken over is erased when the request ends.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Protocol

from flask import g
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData

from api.bodies.file_names import upload_name
from api.bodies.parts import Part, Parts, PartWriter
from jobs.base.errors import InvalidRequest, TooLarge
from jobs.base.storage import Storage

# What a body may take of memory before it goes to a file, in bytes.
_IN_MEMORY = 256 * 1024
# The decoder is slow in a chunk that has a boundary in it and quick in others: with small chunks a
# body of many pictures is cheap.
_DECODED = 16 * 1024
# What the decoder may hold back at once: a chunk and one part's headers.
_MOST_BUFFERED = 1024 * 1024


class Intake(Protocol):
    """Takes a body in: `feed` for each piece, `finish` at its end, `close` in any case."""

    limit: int

    def feed(self, chunk: bytes) -> None:
        """Take the next piece; raises what is wrong with it."""

    def finish(self) -> None:
        """Hear that the body is whole; raises what it lacks."""

    def close(self) -> None:
        """Erase what nobody has taken over; may be called again."""


class TextIntake:
    """A body that is read as one text."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._spool = _spool()

    def feed(self, chunk: bytes) -> None:
        """Take the next piece."""
        self._spool.write(chunk)

    def finish(self) -> None:
        """Hear that the body is whole."""

    def close(self) -> None:
        """Erase the text."""
        self._spool.close()

    def file(self) -> IO[bytes]:
        """Give the text as a file, at its beginning."""
        self._spool.seek(0)
        return self._spool


class RawIntake:
    """A body that is one file."""

    def __init__(self, limit: int, storage: Storage, blob_name: Callable[[], str]) -> None:
        self.limit = limit
        self._spool = _spool()
        self._writer = PartWriter(self._spool, storage, blob_name, "", None)
        self.part: Part | None = None

    def feed(self, chunk: bytes) -> None:
        """Take the next piece."""
        self._writer.write(chunk)

    def finish(self) -> None:
        """Hear that the body is whole: from now on there is its part."""
        self.part = self._writer.end()

    def close(self) -> None:
        """Erase the file, unless it was taken over."""
        self._writer.drop()
        self._spool.close()


class FormIntake:
    """A multipart body; `names` says of each part that it may have whether it may be repeated."""

    def __init__(
        self,
        limit: int,
        boundary: str,
        names: Mapping[str, bool],
        most_repeated: int,
        storage: Storage,
        blob_name: Callable[[], str],
    ) -> None:
        if not boundary:
            raise BadRequest("The content type multipart/form-data has no boundary.")
        self.limit = limit
        self._decoder = MultipartDecoder(boundary.encode(), _MOST_BUFFERED)
        self._names, self._most_repeated = names, most_repeated
        self._storage, self._blob_name = storage, blob_name
        self._spool = _spool()
        self._counts: dict[str, int] = {}
        self._writers: list[PartWriter] = []
        self._parts: list[Part] = []

    @property
    def parts(self) -> Parts:
        """The parts, once the body is whole."""
        return Parts(self._parts)

    def feed(self, chunk: bytes) -> None:
        """Take the next piece; refuses a part by its name, before its bytes."""
        for start in range(0, len(chunk), _DECODED):
            self._decode(chunk[start : start + _DECODED])

    def finish(self) -> None:
        """Hear that the body is whole; raises BadRequest when its last boundary is missing."""
        # The decoder is told of the end by None.
        self._decode(None)

    def close(self) -> None:
        """Erase every part that was not taken over."""
        for writer in self._writers:
            writer.drop()
        self._spool.close()

    def _decode(self, piece: bytes | None) -> None:
        try:
            for event in self._events(piece):
                self._take(event)
        except ValueError as err:
            raise BadRequest(f"The multipart body cannot be read: {err}.") from err

    def _events(self, piece: bytes | None) -> Iterator[Event]:
        try:
            self._decoder.receive_data(piece)
        except RequestEntityTooLarge as err:
            raise ValueError("no end of its headers, or no boundary, is in sight") from err
        event = self._decoder.next_event()
        while not isinstance(event, Epilogue | NeedData):
            yield event
            event = self._decoder.next_event()

    def _take(self, event: Event) -> None:
        if isinstance(event, File | Field):
            # The name is None, whatever the type says, where a part gives none.
            name = event.name or ""
            self._admit(name)
            filename = upload_name(event) if isinstance(event, File) else None
            self._writers.append(
                PartWriter(self._spool, self._storage, self._blob_name, name, filename)
            )
        elif isinstance(event, Data) and self._writers:
            self._writers[-1].write(event.data)
            if not event.more_data:
                self._parts.append(self._writers[-1].end())

    def _admit(self, name: str) -> None:
        known = ", ".join(f"`{each}`" for each in self._names)
        if not name:
            raise BadRequest(f"A part of the body has no name; use {known}.")
        if name not in self._names:
            text = f"A part called {name[:100]!r} is not known here; use {known}."
            raise InvalidRequest(text, param=name[:100])
        self._counts[name] = self._counts.get(name, 0) + 1
        if self._counts[name] > 1 and not self._names[name]:
            raise InvalidRequest(
                f"The body has 2 parts called `{name}` or more; send exactly one.", param=name
            )
        if self._counts[name] > self._most_repeated:
            raise TooLarge(
                f"The body has more than {self._most_repeated:,} parts called `{name}`, the limit "
                "here."
            )


def current_intake() -> Intake | None:
    """Give what takes in the body of this request; None where the call reads none."""
    found: Intake | None = g.get("intake")
    return found


def close_intake() -> None:
    """Erase what this request has brought and nobody has taken over."""
    if (intake := current_intake()) is not None:
        intake.close()


def _spool() -> IO[bytes]:
    return tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)
