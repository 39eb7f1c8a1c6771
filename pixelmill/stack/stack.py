"""The whole of Pixelmill on this machine, as real processes, under one command.

    redis ─► migrations ─► key ─► api ─► shipped models ─► launcher (workers), io, beat ─► ready

All data lies in one folder, so that two stacks on two folders live side by side, and the next `up`
on the same folder goes on with whatever was unfinished:

    DIR/pixelmill.db, DIR/blobs/   database and blobs
    DIR/stack.json                 url, api_key, redis_url, process ids while it runs (mode 0600)
    DIR/credentials.json           the local tenant's key, made at the first start (mode 0600)
    DIR/run/                       Redis's socket and other traces of running processes (mode 0700)
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import redis

from pixelmill.stack.descendants import adopt_orphans, end_orphans
from pixelmill.stack.guard import run_guarded
from pixelmill.stack.local_stack import StackError, listen, lock_folder, places_of, private_folder
from pixelmill.stack.log_lines import say
from pixelmill.stack.redis_server import find_redis_server
from pixelmill.stack.roles import Role

DEFAULT_DATA = Path(".pixelmill")

# Longest path of a unix socket on Linux, with its ending zero.
_SOCKET_PATH = 108
_PLAIN = re.compile(r"[\w./-]+", re.ASCII)
_START_S = 60.0
_WORKERS_S = 30.0
_LOOK_S = 0.2
# For one answer of an API that starts, and between two askings of it.
_ANSWER_S, _LONGEST_PAUSE_S = 30.0, 1.0
# What outlives a stack that was killed has been told so, and gets this long.
_ORPHANS_S = 5.0


def find_stack(data: Path | None = None) -> dict[str, Any] | None:
    """Read the stack.json of a running local stack; None when there is none."""
    folder = data or Path(os.environ.get("PIXELMILL_DATA", DEFAULT_DATA))
    try:
        stack: dict[str, Any] = json.loads((folder / "stack.json").read_text())
    except (OSError, ValueError):
        return None
    return stack


def up(data: Path, port: int, workers: int, gpus: str | None) -> int:
    """Run a stack until SIGTERM, Ctrl-C or the terminal's end, and leave no process behind.

    Gives the exit code: 0, or 2 when it cannot start or was killed.
    """
    return run_guarded(lambda: _run(data, port, workers, gpus), _ORPHANS_S)


def _run(data: Path, port: int, workers: int, gpus: str | None) -> int:
    adopt_orphans()
    # Database, blobs and logs hold what other users of this machine must not read.
    os.umask(0o077)
    try:
        stack = Stack(data.resolve(), port, workers, gpus)
    except StackError as err:
        say("stack", str(err))
        return 2
    signal.signal(signal.SIGTERM, stack.stop)
    try:
        stack.start()
        stack.watch()
    except _Stopped:
        return 0
    except StackError as err:
        say("stack", str(err))
        return 2
    finally:
        stack.end()
    return 0


class _Stopped(Exception):
    """The stack was asked to stop while it started."""


class Stack:
    """The processes of one data folder; `gpus` is a list such as `0,1`, empty for the CPU."""

    def __init__(self, data: Path, port: int, workers: int, gpus: str | None) -> None:
        self._data, self._workers = data, workers
        self._gpus = _gpus_here() if gpus is None else gpus
        self._run = private_folder(data)
        self._lock = lock_folder(data)
        self._listener = listen(port)
        self._port = self._listener.getsockname()[1]
        self._socket, self._redis_log = self._socket_path(), self._run / "redis.log"
        self._environ = self._make_environ()
        self._roles: dict[str, Role] = {}
        self._stopping = self._is_starting = False

    @property
    def url(self) -> str:
        """Where the API answers."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def _credentials(self) -> Path:
        return self._data / "credentials.json"

    def stop(self, *_: object) -> None:
        """Ask the stack to stop: `watch` returns, and a start is broken off where it is."""
        self._stopping = True
        if self._is_starting:
            # Out of whatever is waited for, as Ctrl-C does; once: `end` is not to be broken off.
            self._is_starting = False
            raise _Stopped

    def start(self) -> None:
        """Start everything in order and print the ready line; raises StackError and _Stopped."""
        self._is_starting = True
        try:
            self._start()
        finally:
            self._is_starting = False

    def _start(self) -> None:
        # First: it tells which setting is bad before anything runs.
        self._run_once("migrations", [sys.executable, "-m", "migrations.upgrade"])
        self._start_redis()
        key = self._key()
        listener = self._listener.fileno()
        os.set_inheritable(listener, True)
        front = [sys.executable, "-m", "api.front", "--bind", f"fd://{listener}"]
        self._begin("api", front, keep=[listener])
        self._run_once("models", [sys.executable, "-m", "workers.register", "--shipped"])
        launcher = [sys.executable, "-m", "workers.launcher"]
        places = ["--gpus", self._gpus] if self._gpus else ["--workers", str(self._workers)]
        self._begin("launcher", [*launcher, *places, "--pid-file", str(self._run / "workers.json")])
        self._begin("io", [*launcher, "--io"])
        self._begin("beat", [*launcher, "--beat", str(self._run / "beat")])
        self._await_ready()
        self._await_workers()
        self._write_stack(key)
        say("stack", f"ready {self.url}  (data in {self._data}; Ctrl-C stops)")
        say("stack", f"page {self.url}/  (sign in with the key in {self._credentials})")

    def watch(self) -> None:
        """Start again what dies, until the stack is asked to stop."""
        key = self._key()
        is_full = False
        while not self._stopping:
            for role in self._roles.values():
                role.look_after()
            end_orphans(self._role_pids())
            try:
                self._write_stack(key)
                is_full = False
            except OSError as err:
                # Tried again with the next look: who is told of ids can wait, the work cannot.
                if not is_full:
                    say("stack", f"{self._data / 'stack.json'} cannot be written: {err.strerror}")
                is_full = True
            time.sleep(_LOOK_S)

    def end(self) -> None:
        """Stop every process, callers first and Redis last, and leave no trace of running."""
        if self._roles:
            say("stack", "stopping")
        for name in ("api", "beat", "launcher", "io", "redis"):
            if name in self._roles:
                self._roles[name].end(_grace_s(self._environ))
        end_orphans(set())
        (self._data / "stack.json").unlink(missing_ok=True)
        if self._socket.parent != self._run:
            shutil.rmtree(self._socket.parent, ignore_errors=True)
        self._listener.close()
        self._lock.close()

    def _socket_path(self) -> Path:
        path = self._run / "redis.sock"
        # Those who read its URL differ in how they quote what is no letter or digit.
        if len(str(path)) < _SOCKET_PATH and _PLAIN.fullmatch(str(path)):
            return path
        return Path(tempfile.mkdtemp(prefix="pixelmill-")) / "redis.sock"

    def _make_environ(self) -> dict[str, str]:
        """Set what the processes share; what the operator has set already stays as it is."""
        ours = {
            **places_of(self._data),
            "PIXELMILL_POOL_FOR_JOBS": "gpu" if self._gpus else "cpu",
        }
        return {**ours, **os.environ, "PIXELMILL_REDIS_URL": f"unix://{self._socket}?db=0"}

    def _start_redis(self) -> None:
        try:
            program = find_redis_server()
        except FileNotFoundError as err:
            raise StackError(str(err)) from err
        options = ["--port", "0", "--unixsocket", str(self._socket), "--unixsocketperm", "700"]
        # What it says of this machine's memory is for those who keep data in it.
        self._redis_log.unlink(missing_ok=True)
        options += ["--loglevel", "warning", "--logfile", str(self._redis_log)]
        self._begin("redis", [program, *options, "--save", "", "--dir", str(self._run)])
        deadline = time.monotonic() + _START_S
        with redis.Redis(unix_socket_path=str(self._socket)) as client:
            while time.monotonic() < deadline:
                if self._roles["redis"].has_died():
                    break
                try:
                    client.ping()
                    return
                except redis.ConnectionError:
                    time.sleep(0.02)
        with suppress(OSError):
            for line in self._redis_log.read_text(errors="replace").splitlines()[-20:]:
                say("redis", line)
        raise StackError(f"Redis ({program}) does not start; its last lines are above.")

    def _key(self) -> str:
        """Give the local tenant's key, made at the first start."""
        path = self._credentials
        if not path.exists():
            command = [
                "flask",
                "--app",
                "api.wsgi",
                "keys",
                "create",
                "--tenant",
                "local",
                # Whoever runs the stack is its operator.
                "--admin",
                "--json",
            ]
            made = self._run_once("key", [sys.executable, "-m", *command])
            _write_private(path, json.loads(made))
        return str(json.loads(path.read_text())["key"])

    def _begin(self, name: str, command: list[str], keep: list[int] | None = None) -> None:
        self._roles[name] = Role(name, command, self._environ, keep or [])
        self._roles[name].look_after()

    def _run_once(self, name: str, command: list[str]) -> str:
        done = subprocess.run(  # our own command lines
            command, env=self._environ, capture_output=True, text=True, check=False
        )
        if done.returncode:
            lines = done.stderr.strip().splitlines()
            if len(lines) == 1:  # said for people, as an operator's command does
                raise StackError(lines[0].removeprefix("pixelmill: "))
            for line in lines[-20:]:
                say(name, line)
            raise StackError(f"The step {name!r} failed with exit code {done.returncode}.")
        return done.stdout

    def _await_ready(self) -> None:
        deadline, pause_s = time.monotonic() + _START_S, 0.05
        # No proxy of the environment reaches this machine's own loopback. A call that is given up
        # is answered all the same: on a machine that has much to do they would pile up.
        with httpx.Client(base_url=self.url, timeout=_ANSWER_S, trust_env=False) as client:
            while time.monotonic() < deadline:
                if self._roles["api"].has_died():
                    raise StackError("The API does not start; its last lines are above.")
                if _is_ready(client):
                    return
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        raise StackError(f"The API was not ready within {_START_S:.0f} seconds.")

    def _await_workers(self) -> None:
        """Wait until jobs are run; workers that take long, or cannot start, are told of."""
        deadline = time.monotonic() + _WORKERS_S
        while True:
            for role in self._roles.values():
                role.look_after()
            told = self._told_of_workers()
            if told["pids"] and len(told["at_work"]) == len(told["pids"]):
                return
            if time.monotonic() > deadline:
                say("stack", "not all workers run jobs yet: they still begin, or say above why not")
                return
            time.sleep(0.05)

    def _told_of_workers(self) -> dict[str, Any]:
        """Read what the launcher tells of its processes."""
        with suppress(OSError, ValueError):
            told: dict[str, Any] = json.loads((self._run / "workers.json").read_text())
            return told
        return {"pids": {}, "at_work": []}

    def _role_pids(self) -> set[int]:
        return {role.pid for role in self._roles.values() if role.pid}

    def _write_stack(self, key: str) -> None:
        pids = {name: role.pid for name, role in self._roles.items() if role.pid}
        pids |= self._told_of_workers()["pids"]
        redis_url = self._environ["PIXELMILL_REDIS_URL"]
        stack = {"url": self.url, "api_key": key, "redis_url": redis_url, "pids": pids}
        if stack != find_stack(self._data):
            _write_private(self._data / "stack.json", stack)


def _is_ready(api: httpx.Client) -> bool:
    try:
        return api.get("/readyz").status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _gpus_here() -> str:
    """List the GPUs of this machine, as the driver's own tool numbers them; empty without one."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ""
    query = [tool, "--query-gpu=index", "--format=csv,noheader"]
    found = subprocess.run(query, capture_output=True, text=True, check=False)
    return ",".join(found.stdout.split()) if found.returncode == 0 else ""


def _grace_s(environ: dict[str, str]) -> float:
    return float(environ.get("PIXELMILL_GRACE_S", 20)) + 10


def _write_private(path: Path, content: object) -> None:
    draft = path.with_suffix(".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(content, file, indent=2)
    draft.replace(path)
