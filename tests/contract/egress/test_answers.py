"""Answers that are endless, damaged, encoded, of the wrong length or none at all."""

import gzip
import random
import threading

import pytest

from tests.contract.egress.world import (
    CHUNKED,
    always,
    answer,
    failure,
    forever,
    silent,
)
from workers.egress import EgressError


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
