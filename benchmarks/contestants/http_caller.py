"""Calls a model server that takes one picture a request, from many connections at once."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

from benchmarks.contestants.turns import WARM_UP, given_work, take_turns

# Two of the servers' batches: while one is inferred, the next comes together.
CONNECTIONS = 64
BATCH = 32
WORK, PORT = "BENCHMARK_WORK", "BENCHMARK_PORT"
_START_S, _END_S = 120.0, 10.0


class Caller:
    """Posts pictures to a server on this machine; one kept connection a thread."""

    def __init__(self, port: int, path: str, read: Callable[[bytes], int]) -> None:
        self._port, self._path, self._read = port, path, read
        self._own = threading.local()

    def classes(self, items: Sequence[bytes]) -> list[int]:
        """Post all pictures, on new connections; gives their classes, in their order."""
        with ThreadPoolExecutor(CONNECTIONS) as threads:
            return list(threads.map(self._post, items))

    def is_answered(self, item: bytes) -> bool:
        """Say whether the server is there."""
        try:
            self._post(item)
        except (OSError, http.client.HTTPException, RuntimeError):
            return False
        return True

    def _post(self, item: bytes) -> int:
        if not hasattr(self._own, "connection"):
            self._own.connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        connection: http.client.HTTPConnection = self._own.connection
        try:
            connection.request("POST", self._path, body=item)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            raise
        if answer.status != http.client.OK:
            raise RuntimeError(f"the server answered {answer.status}: {body[:200]!r}")
        return self._read(body)


def take_turns_at(
    server: str,
    path: str,
    read: Callable[[bytes], int],
    *options: str,
    body: Callable[[bytes], bytes] = lambda item: item,
) -> None:
    """Start a server module beside this process and take turns at calling it.

    `body` makes a request's body of a picture, before any turn; `read` a class of an answer's.
    """
    port = _free_port()
    items = [body(item) for item in given_work().items()]
    with _serving(server, port, *options) as process:
        caller = Caller(port, path, read)
        deadline = time.monotonic() + _START_S
        while not caller.is_answered(items[0]):
            assert process.poll() is None, f"{server} ended with {process.returncode}"
            assert time.monotonic() < deadline, f"{server} does not answer"
            time.sleep(0.2)
        caller.classes(items[:WARM_UP])

        def turn(_options: Mapping[str, Any]) -> tuple[float, list[int]]:
            start = time.perf_counter()
            labels = caller.classes(items)
            return time.perf_counter() - start, labels

        take_turns(turn)


@contextmanager
def _serving(module: str, port: int, *options: str) -> Iterator["subprocess.Popen[bytes]"]:
    environ = {**os.environ, WORK: str(given_work().folder), PORT: str(port)}
    command = [sys.executable, "-m", module, *(each.format(port=port) for each in options)]
    # What servers print must not come between the lines of the protocol.
    process = subprocess.Popen(  # noqa: S603  # our own command line
        command, env=environ, stdout=sys.stderr, start_new_session=True
    )
    try:
        yield process
    finally:
        # Its whole group: not every server waits for the processes that it has started.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_END_S)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
