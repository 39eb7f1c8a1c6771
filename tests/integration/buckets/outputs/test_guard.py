"""The guard lets whoever writes put objects, and nobody do more than that."""

import base64
import http.server
import socket
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from jobs.buckets.credentials import Credentials
from jobs.buckets.errors import BucketError
from jobs.buckets.guard import Guard
from jobs.buckets.locations import read_location
from jobs.buckets.remote import RemoteBucket
from tests.loopback import serving

FOLDER = read_location("s3://photos/results/")
PART = FOLDER.below("results/part-00000.parquet")


class Store(http.server.BaseHTTPRequestHandler):
    """A store of somebody else's, which keeps what it is sent, or sends it elsewhere."""

    protocol_version = "HTTP/1.1"
    redirect_to = ""
    seen: list[tuple[str, str, bytes]] = []  # noqa: RUF012  # of one test's class

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.seen.append((self.command, self.path, body))
        self.send_response(307 if self.redirect_to else 200)
        if self.redirect_to:
            self.send_header("Location", self.redirect_to)
        self.send_header("ETag", '"1"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = do_DELETE = do_PATCH = do_PUT  # noqa: N815  # the base class's words

    def log_message(self, *_: Any) -> None: ...


def store(redirect_to: str = "") -> Any:
    return type("Own", (Store,), {"redirect_to": redirect_to, "seen": []})


@pytest.fixture
def guard() -> Iterator[Guard]:
    opened = Guard((ip_network("127.0.0.1/32"),))
    yield opened
    opened.close()


def bucket(guard: Guard, endpoint: str, *, writes: bool) -> RemoteBucket:
    keys = {"access_key_id": "K", "secret_access_key": "S", "region": "us-east-1"}
    return RemoteBucket(FOLDER, Credentials("s3", endpoint, keys), guard, writes=writes)


def test_an_object_arrives_as_it_was_sent(guard: Guard) -> None:
    handler, data = store(), bytes(range(256)) * 20_000
    with serving(handler) as endpoint:
        bucket(guard, endpoint, writes=True).put(PART, data)
    assert handler.seen == [("PUT", f"/photos/{PART.key}", data)]


def test_who_was_opened_to_read_puts_nothing(guard: Guard) -> None:
    handler = store()
    with serving(handler) as endpoint, pytest.raises(BucketError) as refused:
        bucket(guard, endpoint, writes=False).put(PART, b"data")
    assert refused.value.code == "bucket_not_allowed"
    assert handler.seen == []


def test_who_writes_may_not_delete_nor_post(guard: Guard) -> None:
    handler = store()
    with serving(handler) as endpoint:
        host, _, port = endpoint.removeprefix("http://").partition(":")
        proxy = guard.admit(frozenset({(host, int(port))}), writes=True)
        with httpx.Client(proxy=proxy, trust_env=False) as client:
            for method in ("DELETE", "POST", "PATCH"):
                assert client.request(method, endpoint).status_code == 403
            endless = client.put(endpoint, content=iter([b"without", b"a length"]))
            assert endless.status_code == 403
            assert client.put(endpoint, content=b"data").status_code == 200
    assert [seen[0] for seen in handler.seen] == ["PUT"]


def test_a_store_cannot_send_an_object_to_another_host(guard: Guard) -> None:
    victim = store()
    with serving(victim) as elsewhere:
        handler = store(f"{elsewhere}/steal")
        with serving(handler) as endpoint, pytest.raises(BucketError):
            bucket(guard, endpoint, writes=True).put(PART, b"data")
        assert handler.seen, "the store itself was asked"
    assert victim.seen == []


def test_an_address_outside_the_operators_networks_is_not_called() -> None:
    handler, guard = store(), Guard(())
    with serving(handler) as endpoint, pytest.raises(BucketError) as refused:
        bucket(guard, endpoint, writes=True).put(PART, b"data")
    guard.close()
    assert refused.value.code == "bucket_not_allowed"
    assert handler.seen == []


@pytest.mark.parametrize("is_tunnel", [False, True], ids=["plain", "tunnel"])
def test_a_store_that_takes_nothing_is_given_up(is_tunnel: bool) -> None:
    guard, length = Guard((ip_network("127.0.0.1/32"),), idle_s=0.2), 64 * 1024 * 1024
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        host, port = deaf.getsockname()
        proxy = urlsplit(guard.admit(frozenset({(host, port)}), writes=True))
        token = base64.b64encode(f"store:{proxy.password}".encode()).decode()
        line = f"CONNECT {host}:{port}" if is_tunnel else f"PUT http://{host}:{port}/a"
        head = f"{line} HTTP/1.1\r\nProxy-Authorization: Basic {token}\r\nContent-Length: {length}"
        with socket.create_connection((proxy.hostname or "", proxy.port or 0), 30) as sock:
            sock.sendall(f"{head}\r\n\r\n".encode())
            # As much as fits on the way; then the guard hangs up.
            with pytest.raises(ConnectionError):
                sock.sendall(bytes(length))
        taken, _ = deaf.accept()
        with taken:
            taken.settimeout(30)
            came = _read_to_the_end(taken)
    guard.close()
    assert 0 < came < length


def _read_to_the_end(sock: socket.socket) -> int:
    count = 0
    try:
        while piece := sock.recv(1 << 20):
            count += len(piece)
    except ConnectionError:
        pass
    return count
