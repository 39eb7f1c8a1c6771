"""Connections are kept and used again, and nothing of one answer gets into another."""

import threading
from concurrent.futures import ThreadPoolExecutor

from tests.contract.egress.world import SLOW, always, answer, failure, names


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
