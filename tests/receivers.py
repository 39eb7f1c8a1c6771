"""A real server on loopback that receives webhooks, for tests."""

import json
import queue
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# What a path answers: told the number of its calls so far, gives a status, or None to hang up.
Behaviour = Callable[[int], int | None]


class Receiver:
    """Answers what it is told to and keeps what it was sent.

    `answers` are the next statuses, 204 when there are none; `behaviours` go before, by path.
    `texts` are the next bodies, empty when there are none.
    """

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.texts: list[str] = []
        self.behaviours: dict[str, Behaviour] = {}
        self.received: queue.Queue[tuple[dict[str, str], bytes]] = queue.Queue()
        # The events that were delivered: job id -> `webhook-id` of each call, repeated ones too.
        self.events: dict[str, list[str]] = defaultdict(list)
        self.calls: dict[str, int] = defaultdict(int)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        return f"{self.root}/hook"

    def take(self, path: str, headers: dict[str, str], body: bytes) -> int | None:
        """Note a call; gives the status to answer."""
        self.calls[path] += 1
        if path in self.behaviours:
            status = self.behaviours[path](self.calls[path])
        else:
            status = self.answers.pop(0) if self.answers else 204
        if status is not None and 200 <= status < 300:
            self.events[json.loads(body)["data"]["id"]].append(headers["webhook-id"])
        self.received.put((headers, body))
        return status

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def receiver_server() -> Iterator[Receiver]:
    """Run a receiver until the block ends."""
    receiver = Receiver()
    try:
        yield receiver
    finally:
        receiver.close()


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status = receiver.take(self.path, dict(self.headers), body)
            if status is None:
                self.close_connection = True
                return
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("location", f"{receiver.root}/elsewhere")
            text = (receiver.texts.pop(0) if receiver.texts else "").encode()
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None: ...

    return Handler
