"""A stream of rows that is known to be whole: its number of rows was told when it began.

A connection of HTTP/1.0, as between a default nginx and a server, ends in the same way whether or
not all of an answer has come.
"""

from collections.abc import Callable, Iterator

import httpx

from pixelmill.wire.errors import ConnectionFailed

ROWS = "Pixelmill-Rows"


def whole_stream(
    response: httpx.Response,
    take: Callable[[bytes], None],
    missing: Callable[[int | None], str | None],
) -> Iterator[bytes]:
    """Give the blocks of an answer; raises ConnectionFailed when it ends too early.

    `take` looks at each block, and `missing` says what a file of so many rows
    lacks at the end, or one of which no number is known.
    """
    for block in response.iter_bytes():
        take(block)
        yield block
    told = response.headers.get(ROWS, "")
    # A server of before this header tells of none, and a proxy may drop it.
    lack = missing(int(told) if told.isdecimal() else None)
    if lack is not None:
        raise ConnectionFailed(
            f"the results of {response.request.url.path} ended {lack}: the connection broke on the "
            "way. Read them again."
        )
