"""A store of as many objects as one likes: it answers listings page by page and keeps nothing."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from threading import Event
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.loopback import serving

PAGE = 1000


class Listing(BaseHTTPRequestHandler):
    """Answers ListObjectsV2 for `count` keys `path/0000000.jpg`; `pages` counts what it gave.

    With `count` None all pages are empty, and there is always another one.
    """

    protocol_version = "HTTP/1.1"
    count: int | None = 0
    pages = 0
    has_begun: Event

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        first = int(query.get("continuation-token", ["0"])[0])
        type(self).pages += 1
        if self.pages > 2:
            self.has_begun.set()
        last = first + 1 if self.count is None else min(first + PAGE, self.count)
        rows = "" if self.count is None else "".join(map(entry, range(first, last)))
        is_cut = self.count is None or last < self.count
        more = f"<NextContinuationToken>{last}</NextContinuationToken>" if is_cut else ""
        body = (
            '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult>'
            f"<IsTruncated>{str(is_cut).lower()}</IsTruncated>{more}{rows}"
            "</ListBucketResult>"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/xml")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None: ...


def entry(number: int) -> str:
    etag = hashlib.md5(str(number).encode()).hexdigest()
    return (
        f"<Contents><Key>path/{number:07d}.jpg</Key><Size>{1000 + number % 1000}</Size>"
        f"<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;{etag}&quot;</ETag>"
        "</Contents>"
    )


@contextmanager
def listing_of(count: int | None) -> Iterator[tuple[str, type[Listing]]]:
    handler = type("Own", (Listing,), {"count": count, "pages": 0, "has_begun": Event()})
    with serving(handler) as url:
        yield url, handler
