"""Servers that are slow, or do not answer at all, are left in time."""

import socket
import threading
import time
from contextlib import suppress

import pytest

from tests.contract.egress.world import CHUNKED, PACE, SLOW, Server, failure, forever, silent
from workers.egress import GivenUp


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
        assert 0.1 < time.monotonic() - start < SLOW / 2


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
    assert time.monotonic() - start < SLOW / 2


@pytest.mark.parametrize(
    "behave",
    [silent, forever(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"x", pace=PACE)],
    ids=["silent", "drips body"],
)
def test_a_slow_server_is_left_when_nobody_wants_its_answer_any_more(world, behave):
    server, stopped = world.server(behave), threading.Event()
    egress, start = world.egress(), time.monotonic()
    threading.Timer(0.2, stopped.set).start()
    with pytest.raises(GivenUp):
        egress.get(f"http://images.example:{server.port}/", 1_000_000, stopped)
    assert time.monotonic() - start < SLOW / 2
