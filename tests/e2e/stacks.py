"""Real stacks for end-to-end tests: `pixelmill up` as a user starts it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pixelmill import Client
from pixelmill.stack.stack import find_stack

T = TypeVar("T")

# Its workers too: on a busy machine torch alone takes half a minute.
START_S = 180


class RunningStack:
    """A stack that was started for a test."""

    def __init__(self, data: Path, process: "subprocess.Popen[bytes]") -> None:
        self.data, self.process = data, process

    @property
    def info(self) -> dict[str, Any]:
        found = find_stack(self.data)
        assert found is not None, f"no stack.json in {self.data}"
        return found

    @property
    def pids(self) -> dict[str, int]:
        return dict(self.info["pids"])

    def client(self) -> Client:
        return Client(self.info["url"], self.info["api_key"])

    def kill(self, role: str) -> int:
        """SIGKILL the process that plays a role, or soon will; gives its id."""
        return wait_for(lambda: self._killed(role), START_S, f"a process that is {role}")

    def _killed(self, role: str) -> int | None:
        """Kill it if it lives: one that died before may still be named, or not be named yet."""
        pid = self.pids.get(role)
        if pid is None or not is_alive(pid):
            return None
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return None
        return pid

    def log(self) -> str:
        return (self.data / "stack.log").read_text(errors="replace")

    def stop(self) -> int:
        """SIGTERM the stack and wait for its end; gives its exit code."""
        self.process.terminate()
        return self.process.wait(60)


@contextmanager
def running_stack(data: Path, *options: str, **environ: str) -> Iterator[RunningStack]:
    """Run `pixelmill up` on a free port until the block ends."""
    data.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pixelmill", "up", "--data", str(data), "--port", "0", "--cpu"]
    with (data / "stack.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, *options], env={**os.environ, **environ}, stdout=log, stderr=log
        )
    stack = RunningStack(data, process)
    try:
        wait_for(lambda: find_stack(data) or process.poll() is not None, START_S, "the stack")
        assert process.poll() is None, stack.log()
        yield stack
    finally:
        if process.poll() is None:
            stack.stop()


def wait_for(condition: Callable[[], T], timeout_s: float, what: str) -> T:
    """Poll until a condition holds; fails the test when it does not in time."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {timeout_s:.0f} s for {what} in vain")


def is_alive(pid: int) -> bool:
    """Say whether a process lives; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def results_of(client: Client, job_id: str) -> list[dict[str, Any]]:
    """Give every result row of a job, by index."""
    rows = [json.loads(json.dumps(dict(result.raw))) for result in client.results(job_id)]
    return sorted(rows, key=lambda row: row["index"])
