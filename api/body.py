"""The request's body as a stream that is whole or refused.

Under gunicorn werkzeug cannot tell the end of a body from a caller who hung up, and cuts a body of
unknown length off at the limit when it is read in one go. Both would store half of what was sent.
"""

from collections.abc import Iterator

from flask import g, request
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]  # ships no types
from werkzeug.exceptions import BadRequest

_CHUNK = 1024 * 1024


def limit_body(limit: int) -> None:
    """Refuse a body of more than `limit` bytes, by its announced length or while it is read."""
    g.body_limit = limit
    # One more, because werkzeug refuses whoever asks for more after exactly the limit, too.
    request.max_content_length = limit + 1


def body_chunks(size: int = _CHUNK) -> Iterator[bytes]:
    """Read the body to its end, piece by piece; raises 413, and 400 when it ends too early."""
    received = 0
    while chunk := _read(size):
        received += len(chunk)
        yield chunk
    if received < (request.content_length or 0):
        raise BadRequest(
            f"The body ended after {received:,} of {request.content_length:,} bytes. Nothing was "
            "stored; send it again."
        )


def _read(size: int) -> bytes:
    try:
        return request.stream.read(size)
    except ParseException as err:
        # gunicorn reads chunks only now, inside the request, and would have us answer 500.
        raise BadRequest(f"The chunks of the body cannot be read: {err}.") from err
