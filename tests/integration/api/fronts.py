"""The API as its own processes, and peers of it that are slow in every way there is."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx

from jobs.base.bootstrap import Ground
from jobs.tenants.keys import NewKey
from tests.e2e.stacks import is_alive, wait_for

START_S = 60.0


class Front:
    """A running server; `key` is a tenant's."""

    def __init__(self, port: int, key: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.port, self.key, self.process, self._log = port, key, process, log
        self.url = f"http://127.0.0.1:{port}"
        self.headers = {"Authorization": f"Bearer {key}"}

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers=self.headers, timeout=30, trust_env=False)

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def pids(self) -> list[int]:
        """Give the processes of the server that live."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        with suppress(OSError):
            return [self.process.pid, *map(int, children.read_text().split())]
        return []

    def cpu_s(self) -> float:
        """Give what the server's processes have computed so far."""
        stats = [Path(f"/proc/{pid}/stat").read_text() for pid in self.pids()]
        ticks = sum(sum(map(int, stat.rsplit(")", 1)[1].split()[11:13])) for stat in stats)
        return ticks / os.sysconf("SC_CLK_TCK")

    def connect(self, *, receive_buffer: int = 0) -> socket.socket:
        peer = socket.socket()
        if receive_buffer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        peer.settimeout(60)
        peer.connect(("127.0.0.1", self.port))
        return peer

    def head(self, method: str, path: str, *lines: str) -> bytes:
        """Give the head of a request with the key."""
        first = (f"{method} {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {self.key}")
        return "\r\n".join([*first, *lines, "", ""]).encode()

    def say(self, data: bytes) -> socket.socket:
        peer = self.connect()
        peer.sendall(data)
        return peer


@contextmanager
def running_front(ground: Ground, key: NewKey, folder: Path, **environ: str) -> Iterator[Front]:
    """Serve the API on a free port until the block ends."""
    settings = ground.settings
    ours = {
        "PIXELMILL_DATABASE_URL": settings.database_url,
        "PIXELMILL_REDIS_URL": settings.redis_url,
        "PIXELMILL_STORAGE_URL": settings.storage_url,
        "PIXELMILL_RATE_LIMIT": "",
        "PIXELMILL_GRACE_S": "2",
    }
    log = folder / "front.log"
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=2048))
        file = stack.enter_context(log.open("ab"))
        process = subprocess.Popen(
            [sys.executable, "-m", "api.front", "--bind", f"fd://{listener.fileno()}"],
            env={**os.environ, **ours, **environ},
            stdout=file,
            stderr=file,
            pass_fds=[listener.fileno()],
        )
        front = Front(listener.getsockname()[1], key.key, process, log)
        # A connection that nobody has taken over yet would wait for us.
        listener.close()
        try:
            wait_for(lambda: process.poll() is not None or _answers(front), START_S, "the API")
            assert process.poll() is None, front.log()
            yield front
        finally:
            stop(front)


def stop(front: Front) -> float:
    """SIGTERM the server and await the end of all its processes; gives the seconds it took."""
    began, pids = time.monotonic(), front.pids()
    if front.process.poll() is None:
        front.process.send_signal(signal.SIGTERM)
        try:
            front.process.wait(40)
        except subprocess.TimeoutExpired:
            front.process.kill()
            front.process.wait()
            raise
    wait_for(lambda: not any(map(is_alive, pids)), 15, "the server's processes to end")
    return time.monotonic() - began


def read_all(peer: socket.socket) -> bytes:
    """Read until the server ends the connection; raises OSError when it resets it."""
    received = b""
    while chunk := peer.recv(65536):
        received += chunk
    return received


def _answers(front: Front) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"{front.url}/healthz", timeout=2, trust_env=False).status_code == 200
    return False
