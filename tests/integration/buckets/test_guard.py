"""Stores are called through the guard alone: known hosts, allowed addresses, no detours."""

import base64
import http.server
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from jobs.buckets.credentials import Credentials
from jobs.buckets.errors import BucketError
from jobs.buckets.guard import Guard
from jobs.buckets.locations import read_location
from jobs.buckets.remote import Found, RemoteBucket
from tests.integration.buckets.servers import S3
from tests.loopback import serving

LOCAL = (ip_network("127.0.0.1/32"),)
FOLDER = read_location("s3://photos/path/")
OBJECT = FOLDER.below("path/a.png")


class Handler(http.server.BaseHTTPRequestHandler):
    """A store that somebody else runs: redirects, or remembers what it was sent."""

    protocol_version = "HTTP/1.1"
    redirect_to = ""
    seen: list[tuple[str, dict[str, str]]] = []  # noqa: RUF012  # of one test's class

    def do_GET(self) -> None:
        self.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        self.send_response(307 if self.redirect_to else 404)
        if self.redirect_to:
            self.send_header("Location", self.redirect_to)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: Any) -> None: ...


@contextmanager
def store(redirect_to: str = "") -> Iterator[tuple[str, type[Handler]]]:
    handler = type("Own", (Handler,), {"redirect_to": redirect_to, "seen": []})
    with serving(handler) as url:
        yield url, handler


@pytest.fixture
def guard() -> Iterator[Guard]:
    opened = Guard(LOCAL)
    yield opened
    opened.close()


def bucket(guard: Guard, endpoint: str, **secret: str) -> RemoteBucket:
    keys = {"access_key_id": "K", "secret_access_key": "S", "region": "us-east-1", **secret}
    return RemoteBucket(FOLDER, Credentials("s3", endpoint, keys), guard)


def code_of(opened: RemoteBucket) -> str:
    with pytest.raises(BucketError) as refused:
        opened.head(OBJECT)
    return refused.value.code


def test_a_redirect_to_another_host_ends_at_the_guard(guard: Guard) -> None:
    with store() as (victim, seen), store(f"{victim}/latest/meta-data") as (endpoint, asked):
        # The client leaves its token out when it follows one.
        assert code_of(bucket(guard, endpoint)) in ("bucket_denied", "bucket_not_allowed")
        assert asked.seen, "the store itself was asked"
        assert seen.seen == []


def test_an_address_outside_the_operators_networks_is_not_called() -> None:
    with store() as (endpoint, asked):
        guard = Guard(())
        assert code_of(bucket(guard, endpoint)) == "bucket_not_allowed"
        assert asked.seen == []
        guard.close()


def test_a_name_is_judged_by_every_address_that_it_stands_for(
    guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store() as (endpoint, asked):
        port = int(endpoint.rpartition(":")[2])
        named = f"http://store.example:{port}"
        answers = [["127.0.0.1"], ["127.0.0.1", "169.254.169.254"], ["10.0.0.1"], ["8.8.8.8"]]

        def resolve(*_: Any, **__: Any) -> list[Any]:
            found = answers.pop(0)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        opened = bucket(guard, named)
        assert code_of(opened) == "input_gone"
        assert len(asked.seen) == 1
        for _ in range(3):
            # Plain HTTP goes to the operator's networks alone, never to the public internet.
            assert code_of(opened) == "bucket_not_allowed"
        assert len(asked.seen) == 1
        assert answers == []


def test_nothing_of_our_own_environment_reaches_a_store(
    guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store() as (endpoint, asked), store() as (trap, trapped):
        for name in ("AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "HTTP_PROXY"):
            monkeypatch.setenv(name, trap)
            monkeypatch.setenv(name.lower(), trap)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            monkeypatch.setenv(name, "OURS")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert code_of(bucket(guard, endpoint)) == "input_gone"
        anonymous = Credentials("s3", endpoint, {"region": "us-east-1"})
        assert code_of(RemoteBucket(FOLDER, anonymous, guard)) == "input_gone"
        assert trapped.seen == []
        (_, signed), (_, unsigned) = asked.seen
        assert "OURS" not in str(asked.seen)
        assert "x-amz-security-token" not in signed
        assert "Credential=K/" in signed["authorization"]
        assert "authorization" not in unsigned
        assert "proxy-authorization" not in signed


def test_without_a_token_of_the_guards_own_nobody_is_let_out(guard: Guard) -> None:
    with store() as (endpoint, asked):
        host, _, port = endpoint.removeprefix("http://").partition(":")
        proxy = guard.admit(frozenset({(host, int(port))}))
        assert httpx.get(endpoint, proxy=proxy, trust_env=False).status_code == 404
        assert len(asked.seen) == 1
        bare = f"http://{proxy.partition('@')[2]}"
        assert httpx.get(endpoint, proxy=bare, trust_env=False).status_code == 403
        wrong = f"http://store:guess@{proxy.partition('@')[2]}"
        assert httpx.get(endpoint, proxy=wrong, trust_env=False).status_code == 403
        assert httpx.post(endpoint, proxy=proxy, trust_env=False).status_code == 403
        guard.dismiss(proxy)
        assert httpx.get(endpoint, proxy=proxy, trust_env=False).status_code == 403
        assert len(asked.seen) == 1


def test_a_tunnel_is_opened_to_the_stores_own_host_alone(guard: Guard) -> None:
    with store() as (endpoint, _):
        host, _, port = endpoint.removeprefix("http://").partition(":")
        proxy = guard.admit(frozenset({(host, int(port))}))
        # The store speaks no TLS: that it is spoken to shows that the tunnel stands.
        with pytest.raises(httpx.ConnectError, match=r"SSL|TLS"):
            httpx.get(f"https://{host}:{port}", proxy=proxy, trust_env=False)
        with pytest.raises(httpx.ProxyError, match="403"):
            httpx.get("https://127.0.0.1:1", proxy=proxy, trust_env=False)
        with pytest.raises(httpx.ProxyError, match="403"):
            httpx.get("https://example.org", proxy=proxy, trust_env=False)


def test_a_tunnel_ends_when_its_store_is_cut_off(guard: Guard) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
        proxy = urlsplit(guard.admit(frozenset({(host, port)})))
        with socket.create_connection((proxy.hostname or "", proxy.port or 0), 10) as sock:
            token = base64.b64encode(f"store:{proxy.password}".encode()).decode()
            sock.sendall(
                f"CONNECT {host}:{port} HTTP/1.1\r\n"
                f"Proxy-Authorization: Basic {token}\r\n\r\n".encode()
            )
            assert sock.recv(100).startswith(b"HTTP/1.1 200")
            guard.cut_off(proxy.geturl())
            assert sock.recv(100) == b""


def test_many_at_a_time_get_what_each_asked_for(guard: Guard, s3: S3) -> None:
    for number in range(8):
        s3.put(f"path/{number}.png", bytes([number]) * 100_000)
    opened = bucket(guard, s3.endpoint)
    found = {
        each.key: each for each in opened.list(FOLDER, lambda: None) if isinstance(each, Found)
    }
    read: dict[str, bytes] = {}

    def work(known: Found) -> None:
        for _ in range(5):
            location = FOLDER.below(known.key)
            read[known.key] = opened.read(location, known, 0, known.size)

    threads = [threading.Thread(target=work, args=(each,)) for each in found.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {key: content[0] for key, content in read.items()} == {
        f"path/{number}.png": number for number in range(8)
    }


def test_a_guard_that_is_closed_leaves_nothing_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    guard = Guard(LOCAL)
    with store() as (endpoint, _):
        assert code_of(bucket(guard, endpoint)) == "input_gone"
    guard.close()
    assert "guard" not in {thread.name for thread in threading.enumerate()}
    # obstore itself keeps a few open.
    assert len(os.listdir("/proc/self/fd")) <= before + 8
