"""Multipart bodies of any size in bounded memory.

All parts of a body, text fields too, go end to end into one temporary file. Werkzeug's own form
parser would keep fields in memory and open a file a part, so that one body of fifty thousand images
could use up either.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import IO

from flask import request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import (
    Data,
    Epilogue,
    Event,
    Field,
    File,
    MultipartDecoder,
    NeedData,
)

from api.body import body_chunks
from api.parts import Part, Parts, window
from jobs.errors import TooLarge

# The decoder is slow in a chunk that has a boundary in it and quick in others: with small chunks a
# body of many pictures is cheap.
_CHUNK = 16 * 1024
# What the decoder may hold back at once: a chunk and one part's headers.
_MOST_BUFFERED = 1024 * 1024


def is_form() -> bool:
    """Say whether the request's body is multipart."""
    return request.mimetype == "multipart/form-data"


@contextmanager
def read_parts(max_parts: int) -> Iterator[Parts]:
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
        yield Parts(parts)


def _parts(decoder: MultipartDecoder, spool: IO[bytes]) -> Iterator[Part]:
    header: File | Field | None = None
    start = 0
    for event in _events(decoder):
        if isinstance(event, File | Field):
            header, start = event, spool.tell()
        elif isinstance(event, Data) and header is not None:
            spool.write(event.data)
            if not event.more_data:
                length = spool.tell() - start
                filename = header.filename if isinstance(header, File) else None
                # The name is None, whatever the type says, where a part gives none.
                yield Part(header.name or "", filename, length, window(spool, start, length))


def _events(decoder: MultipartDecoder) -> Iterator[Event]:
    # The decoder is told of the end by None.
    for chunk in chain(body_chunks(_CHUNK), [None]):
        try:
            decoder.receive_data(chunk)
        except RequestEntityTooLarge as err:
            raise ValueError("no end of its headers, or no boundary, is in sight") from err
        event = decoder.next_event()
        while not isinstance(event, Epilogue | NeedData):
            yield event
            event = decoder.next_event()
