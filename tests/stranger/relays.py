"""A proxy with the manners of nginx's defaults, for tests without an nginx.

It speaks HTTP/1.0 to the server behind it, one connection a request, reads a request whole before
it passes it on (proxy_request_buffering), gathers an answer before it goes on, unless that says
`X-Accel-Buffering: no` (proxy_buffering), and ends it when that connection ends
(https://nginx.org/en/docs/http/ngx_http_proxy_module.html, proxy_http_version).
"""

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from tests.loopback import serving

_READ_S = 60.0
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "expect"}


@contextmanager
def relay_to(url: str) -> Iterator[str]:
    """Run a proxy before a server until the block ends; gives its URL."""
    with serving(_handler(urlsplit(url).netloc)) as at:
        yield at


class _Http10(http.client.HTTPConnection):
    _http_vsn = 10
    _http_vsn_str = "HTTP/1.0"


def _handler(behind: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def relay(self) -> None:
            body = self._read_body()
            upstream = _Http10(behind, timeout=_READ_S)
            headers = {
                name: value
                for name, value in self.headers.items()
                if name.lower() not in (*_HOP_BY_HOP, "content-length")
            }
            upstream.request(self.command, self.path, body, {**headers, "Connection": "close"})
            answer = upstream.getresponse()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in _HOP_BY_HOP:
                    self.send_header(name, value)
            is_empty = self.command == "HEAD" or answer.status == HTTPStatus.NO_CONTENT
            is_chunked = not is_empty and answer.getheader("content-length") is None
            if is_chunked:
                self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            is_gathered = answer.getheader("x-accel-buffering") != "no"
            read = answer.read if is_gathered else answer.read1
            while data := read(65536):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data) if is_chunked else data)
            self.wfile.write(b"0\r\n\r\n" if is_chunked else b"")
            upstream.close()

        do_GET = do_HEAD = do_POST = do_PATCH = do_DELETE = relay  # noqa: N815  # its names

        def _read_body(self) -> bytes | None:
            if "chunked" in self.headers.get("transfer-encoding", ""):
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body
            length = self.headers.get("content-length")
            return self.rfile.read(int(length)) if length else None

        def log_message(self, *_: object) -> None:
            pass

    return Handler
