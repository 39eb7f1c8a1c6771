"""A hand-written server that speaks our own HTTP contract, one scripted answer at a time."""

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import pytest
from typer.testing import CliRunner

from pixelmill import Client
from pixelmill.cli.commands import app

KEY = "pm_live_test_secret"


@dataclass
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    query: dict
    headers: dict
    body: bytes = b""
    size: int = 0

    @property
    def json(self):
        return json.loads(self.body)


@dataclass
class Answer:
    """What the server says; `drop` closes the connection instead, after `body` if there is one."""

    status: int = 200
    body: object = None
    headers: dict = field(default_factory=dict)
    drop: bool = False

    @property
    def payload(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return b"" if self.body is None else json.dumps(self.body).encode()


class FakeServer:
    """Answers in the order of the script; the last answer of a route is given for ever."""

    def __init__(self):
        self.seen: list[Seen] = []
        self.keep_bodies = True
        self._routes = {}
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        fake = self

        class Handler(_Handler):
            server_of = fake

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def on(self, method, path, *answers):
        """Script a route; an answer is an Answer, or a function of the request that gives one."""
        self._routes[method, path] = list(answers)

    def to(self, method, path):
        """Give the requests that a route got."""
        return [seen for seen in self.seen if (seen.method, seen.path) == (method, path)]

    def wait_for(self, method, path, count=1):
        """Block until a route has got so many requests."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.to(method, path)) >= count, timeout=10)

    def answer(self, seen):
        with self._changed:
            self.seen.append(seen)
            self._changed.notify_all()
            script = self._routes.get((seen.method, seen.path))
            if script is None:
                return Answer(404, problem(404, "not_found", "there is no such thing"))
            answer = script.pop(0) if len(script) > 1 else script[0]
        return answer(seen) if callable(answer) else answer

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # One write an answer: without it Nagle's algorithm costs 40 ms each.
    wbufsize = -1
    server_of: FakeServer

    def _serve(self):
        url = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.command, url.path, dict(parse_qsl(url.query)), headers)
        try:
            for block in self._body(headers):
                seen.size += len(block)
                if self.server_of.keep_bodies:
                    seen.body += block
        except ConnectionError:
            self.close_connection = True
            return
        self._send(self.server_of.answer(seen))

    def _body(self, headers):
        if headers.get("transfer-encoding") == "chunked":
            # No line at all is an upload that was broken off: half a tar must not be accepted.
            while size := int(self.rfile.readline() or b"-1", 16):
                if size < 0:
                    raise ConnectionAbortedError
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(headers.get("content-length", 0))
        while left:
            block = self.rfile.read(min(left, 65536))
            left -= len(block)
            yield block

    def _send(self, answer):
        if answer.drop:
            self.close_connection = True
            if not answer.payload:
                return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        # A dropped answer promises one byte more than it gives.
        self.send_header("Content-Length", str(len(answer.payload) + answer.drop))
        self.end_headers()
        self.wfile.write(answer.payload)
        self.wfile.flush()

    # The names that http.server looks for.
    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

    def log_message(self, *_):
        pass


def problem(status, code, message, param=None):
    return {
        "type": "about:blank",
        "title": "refused",
        "status": status,
        "detail": message,
        "error": {"message": message, "type": "x", "param": param, "code": code},
    }


def job_raw(status="in_progress", total=10, completed=0, failed=0, **more):
    counts = {
        "total": total,
        "completed": completed,
        "failed": failed,
        "processing": total - completed - failed,
        "cancelled": 0,
        "expired": 0,
    }
    model = {"name": "digits", "version": 1, "digest": "sha256:ab"}
    members = {"id": "job_1", "object": "job", "status": status, "model": model, "outcome": None}
    return members | {"request_counts": counts, "created_at": 1_700_000_000} | more


def result_raw(index, status="succeeded", **more):
    row = {
        "index": index,
        "custom_id": f"{index}.png",
        "status": status,
        "model": "digits@1#sha256:ab",
        "input_sha256": "cd",
        "attempts": 1,
        "predictions": [{"class": "7", "class_id": 7, "confidence": 0.998}],
        "error": None,
    }
    if status == "errored":
        error = {"code": "undecodable", "message": "no image", "retryable": False}
        row |= {"predictions": None, "error": error}
    return row | more


@pytest.fixture
def server():
    fake = FakeServer()
    yield fake
    fake.close()


@pytest.fixture
def pauses():
    """The pauses that the client made, in seconds; none of them is slept."""
    return []


@pytest.fixture
def client(server, pauses):
    with Client(server.url, KEY, sleep=pauses.append) as made:
        yield made


@pytest.fixture
def say():
    """The makers of answers, so that tests need no import of this file."""

    class Say:
        answer = staticmethod(Answer)
        problem = staticmethod(lambda *a, **k: Answer(a[0], problem(*a, **k)))
        job = staticmethod(lambda *a, **k: Answer(200, job_raw(*a, **k)))
        result = staticmethod(result_raw)
        drop = Answer(drop=True)

        @staticmethod
        def page(rows, last_id=None, has_more=False):
            return Answer(200, {"object": "list", "data": rows, "first_id": None}
                          | {"last_id": last_id, "has_more": has_more})  # fmt: skip

    return Say


@pytest.fixture
def env(server, tmp_path):
    return {
        "PIXELMILL_URL": server.url,
        "PIXELMILL_API_KEY": "key",
        "PIXELMILL_DATA": str(tmp_path / "none"),
    }


@pytest.fixture
def run(env):
    return lambda *args, **more: CliRunner().invoke(app, list(args), env=env | more)
