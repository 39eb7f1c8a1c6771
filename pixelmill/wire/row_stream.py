"""A stream of rows that is known to be whole: its number of rows was told when it began.

A connection of HTTP/1.0, as between a default nginx and a server, ends in the same way whether or
not all of an answer has come.
"""

from collections.abc import Iterator

import httpx

from pixelmill.wire.errors import ConnectionFailed

ROWS = "Pixelmill-Rows"


def whole_rows(response: httpx.Response) -> Iterator[bytes]:
    """Give the blocks of an NDJSON answer; raises ConnectionFailed when it ends too early."""
    told, rows = response.headers.get(ROWS, ""), 0
    for block in response.iter_bytes():
        rows += block.count(b"\n")
        yield block
    # A server of before this header tells of none.
    if told.isdecimal() and rows < int(told):
        raise ConnectionFailed(
            f"the results of {response.request.url.path} ended after {rows:,} of {int(told):,} "
            "rows: the connection broke on the way. Read them again."
        )
