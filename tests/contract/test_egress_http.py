"""The guard against real servers on 127.0.0.0/8, most of which mean ill."""

import gzip
import os
import random
import socket
import ssl
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from workers.egress import Egress, EgressError, EgressPolicy

LOOPBACK = (ip_network("127.0.0.0/8"),)
SLOW = 5.0  # seconds; an exchange that takes as long as this was not cut short
PACE = 0.02  # seconds between the bytes of a server that drips

_DIALLED: list[list] = []
sys.addaudithook(
    lambda event, args: (
        _DIALLED[-1].append((event, args[-1] if event == "socket.connect" else args[0]))
        if _DIALLED and event in ("socket.connect", "socket.getaddrinfo")
        else None
    )
)


class Server:
    """A server of raw bytes: `behave(self, sock)` answers each request; False hangs up."""

    def __init__(self, behave, *, host="127.0.0.1", port=0, tls=None):
        self._behave, self._tls = behave, tls
        self.requests, self.hosts_asked = [], []
        self.connections = 0
        self._last = {}
        self.stop = threading.Event()
        self._socks, self._threads, self._lock = [], [], threading.Lock()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family)
        self.port = self._listener.getsockname()[1]
        if tls:
            tls.sni_callback = lambda _sock, name, _context: self.hosts_asked.append(name)
        self._start(self._accept)

    def close(self):
        self.stop.set()
        with self._lock:
            open_ones = [self._listener, *self._socks]
        for sock in open_ones:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()
        for sock in [self._listener, *self._socks]:
            sock.close()

    def last(self, sock):
        """Give the request that came last on this connection."""
        return self._last[sock]

    def _start(self, target, *args):
        thread = threading.Thread(target=target, args=args)
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _accept(self):
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                with self._lock:
                    self._socks.append(sock)
                    self.connections += 1
                self._start(self._serve, sock)

    def _serve(self, sock):
        with suppress(OSError, ValueError):
            if self._tls:
                sock = self._tls.wrap_socket(sock, server_side=True)
            while request := read_request(sock):
                with self._lock:
                    self.requests.append(request)
                    self._last[sock] = request
                if self._behave(self, sock) is False:
                    break
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()


def read_request(sock):
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        if not piece:
            return b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(headers_of(head).get("content-length", 0))
    while len(body) < length:
        body += sock.recv(65536)
    return head + b"\r\n\r\n" + body


def headers_of(request):
    lines = request.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


def answer(body=b"image", *, status="200 OK", extra=()):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *extra, "", ""]
    return "\r\n".join(lines).encode() + body


def always(data, *, then=None):
    def behave(server, sock):
        sock.sendall(data)
        return then

    return behave


def forever(start, piece, *, pace=None):
    """Send `start`, then `piece` again and again, until the client hangs up."""

    def behave(server, sock):
        sock.sendall(start)
        while not server.stop.wait(pace or 0):
            sock.sendall(piece)
        return False

    return behave


def silent(server, sock):
    server.stop.wait(SLOW)
    return False


@pytest.fixture
def world():
    """Start servers and guards that the end of the test closes."""
    with ExitStack() as stack:
        yield World(stack)


class World:
    def __init__(self, stack):
        self._stack = stack

    def server(self, behave, **options):
        server = Server(behave, **options)
        self._stack.callback(server.close)
        return server

    def egress(self, resolve=None, **policy):
        policy = {"allow_networks": LOOPBACK, "total_timeout_s": SLOW, **policy}
        egress = Egress(EgressPolicy(**policy), resolve=resolve or names("127.0.0.1"))
        self._stack.callback(egress.close)
        return egress


def names(*addresses):
    def resolve(host, port, family, kind):
        return [(0, kind, 6, "", (address, port)) for address in addresses]

    return resolve


@pytest.fixture
def dialled():
    """Give the (event, address) pairs of every lookup and connection from here on."""
    _DIALLED.append([])
    yield _DIALLED[-1]
    _DIALLED.pop()


def failure(call, *args):
    start = time.monotonic()
    with pytest.raises(EgressError) as caught:
        call(*args)
    assert time.monotonic() - start < SLOW, "the exchange was not cut short"
    return caught.value


# What goes out


def test_get_gives_the_body_and_sends_the_headers_it_should(world):
    server = world.server(always(answer(b"\x89PNG\r\n\x00")))
    url = f"http://images.example:{server.port}/a%20b.jpg?sig=x%2Fy&z#page"
    assert world.egress().get(url) == b"\x89PNG\r\n\x00"
    assert server.requests[0].startswith(b"GET /a%20b.jpg?sig=x%2Fy&z HTTP/1.1\r\n")
    headers = headers_of(server.requests[0])
    assert headers.pop("user-agent").startswith("Pixelmill/")
    assert headers == {
        "host": f"images.example:{server.port}",
        "accept": "*/*",
        "accept-encoding": "identity",
    }


def test_no_cookie_comes_back(world):
    server = world.server(always(answer(extra=["Set-Cookie: a=b; Path=/"])))
    egress = world.egress()
    for _ in range(2):
        egress.get(f"http://images.example:{server.port}/")
    assert len(server.requests) == 2
    assert not any("cookie" in headers_of(request) for request in server.requests)


def test_proxies_and_netrc_of_the_environment_are_ignored(world, monkeypatch, tmp_path):
    proxy = world.server(always(answer(b"from the proxy")))
    server = world.server(always(answer(b"direct")))
    netrc = tmp_path / "netrc"
    netrc.write_text("machine images.example login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    assert world.egress().get(f"http://images.example:{server.port}/") == b"direct"
    assert proxy.connections == 0
    assert "authorization" not in headers_of(server.requests[0])


def test_post_delivers_body_and_headers_and_gives_the_reply(world):
    server = world.server(
        always(
            answer(b"thanks", status="202 Accepted", extra=["Retry-After: 7", "X-A: 1", "x-a: 2"])
        )
    )
    body = b'{"type": "job.completed"}'
    reply = world.egress().post(
        f"http://hooks.example:{server.port}/in", body, {"webhook-id": "evt_1"}
    )
    assert (reply.status, reply.body) == (202, b"thanks")
    assert reply.headers["retry-after"] == "7"
    assert reply.headers["x-a"] == "1, 2"
    assert 0 < reply.elapsed_s < SLOW
    head, _, sent = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /in HTTP/1.1\r\n")
    assert sent == body
    headers = headers_of(server.requests[0])
    assert headers["webhook-id"] == "evt_1"
    assert headers["host"] == f"hooks.example:{server.port}"
    assert headers["content-length"] == str(len(body))


def test_an_ipv6_address_is_dialled_too(world):
    try:
        server = world.server(always(answer()), host="::1")
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    egress = world.egress(allow_networks=(ip_network("::1"),))
    assert egress.get(f"http://[::1]:{server.port}/") == b"image"
    assert headers_of(server.requests[0])["host"] == f"[::1]:{server.port}"


# Where it goes


def test_the_name_is_looked_up_once_and_exactly_the_checked_address_is_dialled(world, dialled):
    server = world.server(always(answer()), host="127.0.0.2")
    asked = []

    def resolve(host, port, family, kind):
        asked.append(host)
        return names("127.0.0.2")(host, port, family, kind)

    world.egress(resolve).get(f"http://images.example:{server.port}/")
    assert asked == ["images.example"]
    assert dialled == [("socket.connect", ("127.0.0.2", server.port))]


def test_a_name_that_turns_to_another_address_is_refused_even_with_a_connection_open(world):
    outside = world.server(always(answer(b"outside")), host="127.0.0.2")
    inside = world.server(always(answer(b"inside")), port=outside.port)
    answers = iter(["127.0.0.2", "127.0.0.1", "127.0.0.1"])

    def rebinding(host, port, family, kind):
        return names(next(answers))(host, port, family, kind)

    egress = world.egress(rebinding, allow_networks=(ip_network("127.0.0.2/32"),))
    url = f"http://rebind.example:{outside.port}/"
    assert egress.get(url) == b"outside"
    assert failure(egress.get, url).code == "url_not_allowed"
    assert failure(egress.post, url, b"", {}).code == "url_not_allowed"
    assert inside.connections == 0


def test_the_guard_is_shut_by_default(world):
    server = world.server(always(answer()))
    egress = world.egress(allow_networks=(), ports=frozenset({server.port}))
    for host in ("images.example", "localhost", "127.0.0.1"):
        error = failure(egress.get, f"http://{host}:{server.port}/")
        assert error.code == "url_not_allowed"
    assert server.connections == 0


def test_the_next_address_is_tried_when_one_does_not_answer(world):
    server = world.server(always(answer()), host="127.0.0.2")
    egress = world.egress(names("127.0.0.3", "127.0.0.2"))
    assert egress.get(f"http://images.example:{server.port}/") == b"image"


def test_a_refused_connection_fails_without_telling_the_address(world):
    server = world.server(always(answer()))
    server.close()
    error = failure(world.egress().get, f"http://images.example:{server.port}/")
    assert (error.code, error.retryable) == ("url_fetch_failed", True)
    assert "127.0.0.1" not in str(error)


@pytest.mark.parametrize("status", [301, 302, 303, 304, 307, 308])
def test_redirects_are_not_followed(world, status, dialled):
    server = world.server(
        always(answer(status=f"{status} Go", extra=["Location: http://169.254.169.254/latest/"]))
    )
    egress = world.egress()
    url = f"http://images.example:{server.port}/"
    error = failure(egress.get, url)
    assert (error.code, error.retryable, error.status) == ("url_fetch_failed", False, status)
    assert "redirects are not followed" in str(error)
    assert egress.post(url, b"", {}).status == status
    assert {where for _, where in dialled} == {("127.0.0.1", server.port)}


# Connections


def test_a_connection_is_used_again_for_the_same_host_only(world):
    server = world.server(always(answer()))
    egress = world.egress()
    for _ in range(3):
        egress.get(f"http://a.example:{server.port}/")
    assert server.connections == 1
    egress.get(f"http://b.example:{server.port}/")
    assert server.connections == 2


def test_a_connection_is_not_used_again_when_the_host_moved(world):
    first = world.server(always(answer(b"first")), host="127.0.0.2")
    second = world.server(always(answer(b"second")), host="127.0.0.3", port=first.port)
    answers = iter(["127.0.0.2", "127.0.0.3"])
    egress = world.egress(lambda *ask: names(next(answers))(*ask))
    url = f"http://images.example:{first.port}/"
    assert [egress.get(url), egress.get(url)] == [b"first", b"second"]
    assert (first.connections, second.connections) == (1, 1)


def test_a_kept_connection_that_the_server_dropped_is_replaced(world):
    def once(server, sock):
        # The second request of the first connection gets no answer.
        return len(server.requests) != 2 and sock.sendall(answer())

    server = world.server(once)
    egress = world.egress()
    assert [egress.get(f"http://a.example:{server.port}/") for _ in range(2)] == [b"image"] * 2
    assert (server.connections, len(server.requests)) == (2, 3)


def test_a_post_is_never_sent_twice(world):
    server = world.server(lambda server, sock: len(server.requests) == 1 and sock.sendall(answer()))
    egress = world.egress()
    url = f"http://hooks.example:{server.port}/"
    egress.get(url)  # leaves a connection that could be used
    error = failure(egress.post, url, b"{}", {})
    assert (error.code, error.retryable) == ("url_fetch_failed", True)
    assert len(server.requests) == 2


def test_bytes_after_an_answer_do_not_become_the_next_answer(world):
    def split(server, sock):
        forged = answer(b"forged") if len(server.requests) == 1 else b""
        sock.sendall(answer(b"true") + forged)

    server = world.server(split)
    egress = world.egress()
    assert [egress.get(f"http://a.example:{server.port}/") for _ in range(3)] == [b"true"] * 3
    assert server.connections == 2


def test_bytes_sent_to_an_idle_connection_do_not_become_the_next_answer(world):
    go, sent = threading.Event(), threading.Event()

    def late(server, sock):
        sock.sendall(answer(b"true"))
        if len(server.requests) == 1 and go.wait(SLOW):
            sock.sendall(answer(b"forged"))
            sent.set()

    server = world.server(late)
    egress = world.egress()
    url = f"http://a.example:{server.port}/"
    assert egress.get(url) == b"true"
    go.set()
    assert sent.wait(SLOW)
    assert egress.get(url) == b"true"
    assert server.connections == 2


def test_no_more_than_64_connections_wait(world):
    hung_up = threading.Semaphore(0)

    def behave(server, sock):
        sock.sendall(answer())
        if not sock.recv(1):
            hung_up.release()
        return False

    server = world.server(behave)
    egress = world.egress()
    for number in range(66):
        egress.get(f"http://host{number}.example:{server.port}/")
    assert all(hung_up.acquire(timeout=SLOW) for _ in range(2))
    assert not hung_up.acquire(blocking=False)


def test_closing_hangs_up_idle_connections(world):
    ended = threading.Event()

    def behave(server, sock):
        sock.sendall(answer())
        if not sock.recv(1):
            ended.set()
        return False

    server = world.server(behave)
    egress = world.egress()
    egress.get(f"http://a.example:{server.port}/")
    egress.close()
    assert ended.wait(SLOW)


def test_many_threads_get_each_its_own_answer(world):
    server = world.server(lambda server, sock: sock.sendall(answer(server.last(sock))))
    egress = world.egress()
    paths = [f"/{number}" for number in range(200)]
    with ThreadPoolExecutor(8) as threads:
        bodies = threads.map(
            lambda path: egress.get(f"http://a.example:{server.port}{path}"), paths
        )
        assert [body.split()[1] for body in bodies] == [path.encode() for path in paths]
    assert server.connections <= 8


# Time

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "behave",
    [
        silent,
        forever(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"x", pace=PACE),
        forever(b"HTTP/1.1 200 OK\r\n\r\n", b"x", pace=PACE),
        forever(CHUNKED, b"1\r\nx\r\n", pace=PACE),
        forever(CHUNKED + b"5;", b"x", pace=PACE),
        forever(CHUNKED + b"0\r\n", b"X: y\r\n", pace=PACE),
        forever(b"HTTP/1.1 200 OK\r\nX: ", b"x", pace=PACE),
        forever(b"H", b"", pace=PACE),
        forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n", pace=PACE),
    ],
    ids=[
        *("silent", "drips body", "drips body without length", "drips chunks"),
        *("drips chunk line", "drips trailers", "drips header", "stops in status line"),
        "drips 100s",
    ],
)
def test_a_slow_server_is_left_after_the_total_time(world, behave):
    server = world.server(behave)
    egress = world.egress(total_timeout_s=0.15)
    url = f"http://images.example:{server.port}/"
    for call in ((egress.get, url), (egress.post, url, b"{}", {})):
        start = time.monotonic()
        error = failure(*call)
        assert (error.code, error.retryable) == ("url_timeout", True)
        assert 0.1 < time.monotonic() - start < 2


def test_a_server_that_does_not_read_is_left_after_the_total_time(world):
    egress = world.egress(total_timeout_s=0.15)
    with socket.create_server(("127.0.0.1", 0)) as listener:  # accepts by its backlog alone
        url = f"http://hooks.example:{listener.getsockname()[1]}/"
        assert failure(egress.post, url, bytes(64 << 20), {}).code == "url_timeout"


def test_a_server_that_reads_drop_by_drop_is_left_after_the_total_time(world):
    class Sipping(Server):
        def _serve(self, sock):
            with suppress(OSError):
                while not self.stop.wait(PACE) and sock.recv(65536):
                    pass

    server = Sipping(silent)
    try:
        egress = world.egress(total_timeout_s=0.15)
        url = f"http://hooks.example:{server.port}/"
        assert failure(egress.post, url, bytes(64 << 20), {}).code == "url_timeout"
    finally:
        server.close()


def test_a_tls_handshake_that_never_comes_is_left_after_the_connect_time(world):
    egress = world.egress(connect_timeout_s=0.2)
    start = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as listener:  # accepts by its backlog alone
        error = failure(egress.get, f"https://images.example:{listener.getsockname()[1]}/")
    assert error.code == "url_timeout"
    assert time.monotonic() - start < 2


# Bytes


def test_a_body_of_exactly_the_limit_passes_and_one_byte_more_does_not(world):
    server = world.server(lambda s, sock: sock.sendall(answer(bytes(999 + len(s.requests)))))
    egress = world.egress(max_bytes=1000)
    url = f"http://images.example:{server.port}/"
    assert len(egress.get(url)) == 1000
    assert failure(egress.get, url).code == "url_too_large"


def test_a_streamed_body_comes_while_it_is_sent_and_keeps_to_its_own_limits(world):
    seen = threading.Event()

    def send(_, sock):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nfirst ")
        seen.wait(5)
        sock.sendall(b"second")

    server = world.server(send)
    url = f"http://images.example:{server.port}/"
    pieces = world.egress(max_bytes=1).stream(url, 12, 5.0)
    assert next(pieces) == b"first "
    seen.set()
    assert b"".join(pieces) == b"second"
    seen.clear()
    error = failure(lambda: list(world.egress().stream(url, 12, 0.3)))
    assert error.code == "url_timeout"
    assert failure(lambda: list(world.egress().stream(url, 11, 5.0))).code == "url_too_large"


def test_a_declared_length_over_the_limit_is_refused_before_the_body_comes(world):
    server = world.server(
        lambda server, sock: (
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n") or silent(server, sock)
        )
    )
    error = failure(world.egress(max_bytes=1000).get, f"http://a.example:{server.port}/")
    assert (error.code, error.retryable) == ("url_too_large", False)
    assert "1000 bytes" in str(error)


@pytest.mark.parametrize(
    ("behave", "message"),
    [
        (forever(b"HTTP/1.1 200 OK\r\n\r\n", bytes(65536)), "larger than 100000 bytes"),
        (forever(CHUNKED, b"10000\r\n" + bytes(65536) + b"\r\n"), "larger than 100000 bytes"),
        (forever(CHUNKED, b"1\r\nx\r\n" * 1000), "more bytes"),
        (forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000), "more bytes"),
        (forever(CHUNKED, b"1;" + b"x" * 30000 + b"\r\nx\r\n"), "more bytes"),
    ],
    ids=["no length", "chunked", "chunks of one byte", "endless 100s", "chunk extensions"],
)
def test_an_endless_answer_is_cut_off(world, behave, message):
    server = world.server(behave)
    error = failure(world.egress(max_bytes=100_000).get, f"http://a.example:{server.port}/")
    assert message in str(error)
    assert (error.code, error.retryable) == ("url_too_large", False)


def test_only_four_kibibytes_of_an_endless_reply_are_kept(world):
    server = world.server(forever(b"HTTP/1.1 200 OK\r\n\r\n", b"ab" * 3000))
    reply = world.egress().post(f"http://hooks.example:{server.port}/", b"{}", {})
    assert (reply.status, reply.body) == (200, b"ab" * 2048)


@pytest.mark.parametrize(
    "behave",
    [
        forever(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 10000),
        forever(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 1000),
        forever(CHUNKED, b"0" * 10000),
        forever(CHUNKED + b"0\r\n", b"X: y\r\n" * 1000),
    ],
    ids=["one header", "many headers", "chunk line", "trailers"],
)
def test_endless_headers_are_cut_off(world, behave):
    server = world.server(behave)
    error = failure(world.egress().get, f"http://images.example:{server.port}/")
    assert error.code == "url_fetch_failed"


def test_a_gzip_bomb_is_refused_undecoded(world):
    bomb = gzip.compress(bytes(10_000_000))
    server = world.server(always(answer(bomb, extra=["Content-Encoding: gzip"])))
    egress = world.egress(max_bytes=100_000)
    url = f"http://images.example:{server.port}/"
    error = failure(egress.get, url)
    assert (error.code, error.retryable, error.status) == ("url_fetch_failed", False, 200)
    assert "Content-Encoding" in str(error)
    assert egress.post(url, b"", {}).body == bomb[:4096]


@pytest.mark.parametrize("encoding", ["GZIP", "br", "deflate, gzip", "zstd", "identity, gzip"])
def test_any_content_encoding_is_refused(world, encoding):
    server = world.server(always(answer(extra=[f"Content-Encoding: {encoding}"])))
    assert "compressed" in str(failure(world.egress().get, f"http://a.example:{server.port}/"))


def test_a_body_shorter_than_declared_is_not_taken_for_the_whole(world):
    server = world.server(always(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", then=False))
    error = failure(world.egress().get, f"http://images.example:{server.port}/")
    assert (error.code, error.retryable) == ("url_fetch_failed", True)


def test_a_body_longer_than_declared_ends_where_it_was_declared(world):
    server = world.server(always(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhalf" + b"x" * 50))
    assert world.egress().get(f"http://images.example:{server.port}/") == b"half"


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nimage!",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX\x00: y\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"<html>HTTP/0.9</html>\r\n\r\n",
        b"\x16\x03\x01\x00\xa5\r\n\r\n",
        b"",
    ],
    ids=lambda data: ascii(data[:40]),
)
def test_what_is_not_proper_http_fails(world, data):
    server = world.server(always(data, then=False))
    egress = world.egress()
    for call in (
        (egress.get, f"http://a.example:{server.port}/"),
        (egress.post, f"http://a.example:{server.port}/", b"{}", {}),
    ):
        error = failure(*call)
        assert (error.code, error.retryable) == ("url_fetch_failed", True)


def test_a_damaged_answer_ends_in_a_body_or_in_an_egress_error(world):
    chance = random.Random(7)
    whole = CHUNKED + b"5\r\nimage\r\n3;a=b\r\nxyz\r\n0\r\nX: y\r\n\r\n"

    def damage(server, sock):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.choice(b"\r\n\x00 :;0f9\xff")
        sock.sendall(data[: chance.randint(1, len(data))])
        return False

    server = world.server(damage)
    egress = world.egress()
    outcomes = set()
    for _ in range(300):
        try:
            egress.get(f"http://images.example:{server.port}/")
            outcomes.add("body")
        except EgressError as err:
            outcomes.add(err.code)
    assert outcomes == {"body", "url_fetch_failed"}


@pytest.mark.parametrize(
    ("status", "retryable"),
    [
        *((400, False), (401, False), (403, False), (404, False), (410, False)),
        *((408, True), (425, True), (429, True), (500, True), (502, True), (503, True)),
    ],
)
def test_an_answer_that_is_not_2xx_fails_with_its_status(world, status, retryable):
    server = world.server(always(answer(status=f"{status} No")))
    egress = world.egress()
    url = f"http://images.example:{server.port}/"
    error = failure(egress.get, url)
    assert (error.code, error.status, error.retryable) == ("url_fetch_failed", status, retryable)
    assert egress.post(url, b"", {}).status == status


# TLS


class Authority:
    """A certificate authority of our own."""

    def __init__(self, folder):
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
        certificate = (
            self._certificate(self._name, self._key.public_key(), days=(-1, 1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.file = str(folder / "ca.pem")
        (folder / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def _certificate(self, subject, public_key, *, days):
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=days[0]))
            .not_valid_after(now + timedelta(days=days[1]))
        )

    def context(self, *hosts, days=(-1, 1)):
        """Give a server's context with a certificate for those names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = [
            x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
            for host in hosts
        ]
        certificate = (
            self._certificate(x509.Name([]), key.public_key(), days=days)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        path = self._folder / f"{os.urandom(4).hex()}.pem"
        path.write_bytes(pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def test_tls_asks_for_and_verifies_the_name_and_not_the_address(world, authority):
    server = world.server(always(answer(b"safe")), tls=authority.context("images.example"))
    egress = world.egress(ca_file=authority.file)
    url = f"https://images.example:{server.port}/"
    assert [egress.get(url), egress.get(url)] == [b"safe", b"safe"]
    assert egress.post(url, b"{}", {}).body == b"safe"
    assert server.hosts_asked == ["images.example"] * 2
    assert headers_of(server.requests[0])["host"] == f"images.example:{server.port}"
    assert server.connections == 2  # one kept for both GETs, one for the POST


def test_tls_verifies_an_address_that_is_the_host(world, authority):
    server = world.server(always(answer(b"safe")), tls=authority.context("127.0.0.1"))
    egress = world.egress(ca_file=authority.file)
    assert egress.get(f"https://127.0.0.1:{server.port}/") == b"safe"


@pytest.mark.parametrize(
    ("hosts", "days"),
    [
        (["other.example"], (-1, 1)),
        (["127.0.0.1"], (-1, 1)),
        (["*.images.example"], (-1, 1)),
        (["images.example"], (-9, -1)),
    ],
    ids=["another name", "the address", "a wildcard below", "expired"],
)
def test_a_certificate_that_does_not_fit_is_refused_before_the_request(
    world, authority, hosts, days
):
    server = world.server(always(answer()), tls=authority.context(*hosts, days=days))
    egress = world.egress(ca_file=authority.file)
    error = failure(egress.get, f"https://images.example:{server.port}/?token=secret")
    assert (error.code, error.retryable) == ("url_fetch_failed", False)
    assert "certificate of images.example" in str(error)
    assert server.requests == []


def test_an_authority_that_is_not_trusted_is_refused(world, authority, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", authority.file)  # the environment is not trusted either
    server = world.server(always(answer()), tls=authority.context("images.example"))
    error = failure(world.egress().get, f"https://images.example:{server.port}/")
    assert (error.code, error.retryable) == ("url_fetch_failed", False)
    assert server.requests == []


def test_bytes_after_an_answer_do_not_become_the_next_answer_under_tls(world, authority):
    sent = threading.Event()

    def split(server, sock):
        sock.sendall(answer(b"true"))
        if len(server.requests) == 1:
            sock.sendall(answer(b"forged"))  # a TLS record of its own
            sent.set()

    server = world.server(split, tls=authority.context("images.example"))
    egress = world.egress(ca_file=authority.file)
    url = f"https://images.example:{server.port}/"
    assert egress.get(url) == b"true"
    assert sent.wait(SLOW)
    assert egress.get(url) == b"true"
    assert server.connections == 2


def test_a_drip_under_tls_is_left_after_the_total_time(world, authority):
    behave = forever(b"HTTP/1.1 200 OK\r\n\r\n", b"x", pace=PACE)
    server = world.server(behave, tls=authority.context("images.example"))
    egress = world.egress(ca_file=authority.file, total_timeout_s=0.15)
    assert failure(egress.get, f"https://images.example:{server.port}/").code == "url_timeout"
