"""Storage to break: a folder of little room, and an object store behind a gate that fails."""

import http.client
import logging
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

import pytest
from moto.server import ThreadedMotoServer

_BLOCK = 256 * 1024
_PAGE = 4096


@contextmanager
def small_room(folder: Path, size: int) -> Iterator[Path]:
    """Mount a file system of so many bytes on a folder; skips where that is not permitted."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"needs the right to mount a tmpfs: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Leave not one free page in a file system until the block ends."""
    filler = folder / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            for size in (_BLOCK, _PAGE):
                with suppress(OSError):  # no space left on device
                    while file.write(bytes(size)) == size:
                        pass
        yield
    finally:
        filler.unlink(missing_ok=True)


Mode = Literal["open", "refuse", "fail", "delay", "silence"]


class Gate:
    """An HTTP server in front of an object store's, at the same port throughout.

    `open` carries calls through, `delay` only after `delay_s`, `fail` answers 500, `silence` takes
    calls and never answers them, not even later, and `refuse` listens no longer and hangs up on
    whoever is connected. `struck` counts the calls that suffered.
    """

    def __init__(self, upstream: tuple[str, int]) -> None:
        self.upstream = upstream
        self.mode: Mode = "open"
        self.delay_s = 0.0
        self.struck = 0
        self.closed = threading.Event()
        self._server = self._listen(0)
        self.port = self._server.server_port

    def set(self, mode: Mode, delay_s: float = 0.0) -> None:
        was, self.mode, self.delay_s = self.mode, mode, delay_s
        if mode == "refuse" and was != "refuse":
            self._hang_up()
        elif was == "refuse" and mode != "refuse":
            self._server = self._listen(self.port)

    def close(self) -> None:
        self.closed.set()
        if self.mode != "refuse":
            self._hang_up()

    def _listen(self, port: int) -> ThreadingHTTPServer:
        server = _Server(("127.0.0.1", port), _handler(self))
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        return server

    def _hang_up(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128


@contextmanager
def object_store(bucket: str) -> Iterator[Gate]:
    """Run an S3 with one bucket behind a gate."""
    # Otherwise it would write a line a call.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    gate = Gate((host, port))
    try:
        connection = http.client.HTTPConnection(host, port)
        connection.request("PUT", f"/{bucket}")
        assert connection.getresponse().status == 200
        connection.close()
        yield gate
    finally:
        gate.close()
        server.stop()


def _handler(gate: Gate) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def carry(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            mode = gate.mode
            gate.struck += mode != "open"
            if mode == "fail":
                self.answer(500, {}, b"")
            elif mode in ("refuse", "silence"):
                if mode == "silence":
                    gate.closed.wait()
                self.close_connection = True
            else:
                if mode == "delay":
                    time.sleep(gate.delay_s)
                self.forward(body)

        def forward(self, body: bytes) -> None:
            connection = http.client.HTTPConnection(*gate.upstream, timeout=30)
            connection.request(self.command, self.path, body, dict(self.headers))
            reply = connection.getresponse()
            content = reply.read()
            self.answer(reply.status, dict(reply.getheaders()), content)
            connection.close()

        def answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response_only(status)
            lengths = [value for name, value in headers.items() if name.lower() == "content-length"]
            for name, value in headers.items():
                if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                    self.send_header(name, value)
            # A HEAD is answered with the length of what it does not send.
            length = lengths[0] if self.command == "HEAD" and lengths else str(len(content))
            self.send_header("content-length", length)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = carry  # noqa: N815

        def log_message(self, *_: object) -> None: ...

    return Handler
