"""The request's body as a stream that is whole or refused.

Under gunicorn werkzeug cannot tell the end of a body from a caller who hung up, and cuts a body of
unknown length off at the limit when it is read in one go. Both would store half of what was sent.
"""

from collections.abc import Iterator

from flask import g, request
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
    while chunk := request.stream.read(size):
        received += len(chunk)
        yield chunk
    if received < (request.content_length or 0):
        raise BadRequest(
            f"The body ended after {received:,} of {request.content_length:,} bytes. Nothing was "
            "stored; send it again."
        )
