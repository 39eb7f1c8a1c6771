"""However a stack ends, nothing of it lives afterwards, whoever still sends it bytes."""

import os
import pty
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pixelmill.stack.stack import find_stack
from tests.e2e.stacks import START_S, RunningStack, is_alive, running_stack, wait_for

# Roles are ended one after the other.
END_S = 60


def processes_of(data: Path) -> dict[int, str]:
    """Give every living process with the folder's name in its environment or command line.

    That is the guard, the stack, each role and each process of theirs but decoders, whose
    environment is empty on purpose; those end with their fork server's socket.
    """
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        try:
            words = (folder / "cmdline").read_bytes()
            known = words + (folder / "environ").read_bytes()
        except OSError:
            continue
        if str(data).encode() in known and is_alive(pid) and pid != os.getpid():
            found[pid] = words.replace(b"\0", b" ").decode(errors="replace")
    return found


def family_of(pid: int) -> set[int]:
    """Give the ids of a process and all its descendants, decoders too."""
    found, new = {pid}, {pid}
    while new:
        parents = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                parents[int(folder.name)] = int(
                    (folder / "stat").read_text().rsplit(")", 1)[1].split()[1]
                )
            except OSError:
                continue
        new = {child for child, parent in parents.items() if parent in found} - found
        found |= new
    return found


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if is_alive(pid)}


@contextmanager
def stalled_upload(stack: RunningStack) -> Iterator[socket.socket]:
    """Begin an upload and send no more of it, for as long as the block lasts."""
    place = urlsplit(stack.info["url"])
    with socket.create_connection((place.hostname, place.port)) as peer:
        peer.sendall(
            b"POST /v1/files?filename=a.bin HTTP/1.1\r\nHost: stack\r\n"
            b"Content-Type: application/octet-stream\r\nContent-Length: 900000000\r\n"
            + f"Authorization: Bearer {stack.info['api_key']}\r\n\r\n".encode()
            + bytes(1_000_000)
        )
        yield peer


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_nothing_of_a_stack_lives_after_it_was_told_to_stop(
    tmp_path: Path, number: signal.Signals
) -> None:
    data = tmp_path / "data"
    with running_stack(data, PIXELMILL_GRACE_S="0") as stack, stalled_upload(stack):
        everyone = family_of(stack.process.pid)
        assert len(everyone) > 8
        stack.process.send_signal(number)
        assert stack.process.wait(END_S) == 0
        assert alive(everyone) == set()
        assert processes_of(data) == {}
    assert find_stack(data) is None


@pytest.mark.parametrize("begun", ["pixelmill.db", "credentials.json"])
def test_a_stack_that_is_told_to_stop_while_it_starts_ends_where_it_is(
    tmp_path: Path, begun: str
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    command = [sys.executable, "-m", "pixelmill", "up", "--data", str(data), "--port", "0", "--cpu"]
    with (data / "stack.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_for((data / begun).exists, START_S, begun)
        process.send_signal(signal.SIGTERM)
        assert process.wait(END_S) == 0
    finally:
        process.kill()
        process.wait()
    assert processes_of(data) == {}
    told = (data / "stack.log").read_text()
    assert "ready http" not in told
    assert "Traceback" not in told


def test_nothing_lives_after_the_stack_itself_was_killed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running_stack(data) as stack, stalled_upload(stack):
        everyone = family_of(stack.process.pid)
        (inner,) = [pid for pid in everyone if parent_of(pid) == stack.process.pid]
        os.kill(inner, signal.SIGKILL)
        assert stack.process.wait(END_S) == 2
        assert alive(everyone) == set()
        assert processes_of(data) == {}
    assert "all that it ran has ended" in stack.log()


def test_nothing_lives_soon_after_the_command_was_killed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running_stack(data, PIXELMILL_GRACE_S="0") as stack, stalled_upload(stack):
        everyone = family_of(stack.process.pid)
        stack.process.kill()
        stack.process.wait()
        wait_for(lambda: not alive(everyone), END_S, "all processes to end")
        assert processes_of(data) == {}


@pytest.mark.parametrize("role", ["api", "launcher"])
def test_what_a_killed_role_leaves_behind_does_not_outlive_the_stack(
    tmp_path: Path, role: str
) -> None:
    data = tmp_path / "data"
    with running_stack(data, PIXELMILL_GRACE_S="0") as stack, stalled_upload(stack):
        everyone = family_of(stack.process.pid)
        stack.kill(role)
        wait_for(lambda: role in stack.pids and is_alive(stack.pids[role]), 30, f"a new {role}")
        everyone |= family_of(stack.process.pid)
        assert stack.stop() == 0
        assert alive(everyone) == set()
        assert processes_of(data) == {}


def test_a_terminal_that_goes_away_ends_the_stack(tmp_path: Path) -> None:
    data = tmp_path / "data"
    command = [sys.executable, "-m", "pixelmill", "up", "--data", str(data), "--port", "0", "--cpu"]
    # The terminal's first process, as a shell would start it.
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, command)
    try:
        said = b""
        until = time.monotonic() + END_S
        while b"ready http" not in said and time.monotonic() < until:
            said += os.read(terminal, 65536)
        everyone = family_of(pid)
    finally:
        os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert alive(everyone) == set()
    assert processes_of(data) == {}


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
