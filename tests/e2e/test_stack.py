"""The local stack as a user sees it: one command, real processes, clean ends."""

import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pixelmill.stack.stack import find_stack
from tests.e2e.stacks import RunningStack, is_alive, results_of, running_stack, wait_for


def exit_of(*options: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pixelmill", "up", "--cpu", *options],
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, (done.stdout + done.stderr).strip()


def test_two_stacks_live_side_by_side_and_end_without_a_trace(
    tmp_path: Path, digits_folder: Path
) -> None:
    with running_stack(tmp_path / "a") as first, running_stack(tmp_path / "b") as second:
        assert first.info["url"] != second.info["url"]
        mode = stat.S_IMODE((first.data / "stack.json").stat().st_mode)
        assert mode == 0o600
        assert stat.S_IMODE((first.data / "run").stat().st_mode) == 0o700
        for stack in (first, second):
            with stack.client() as client:
                job = client.wait(client.submit(digits_folder, model="digits"), timeout=60)
                assert job.status == "completed"
                assert job.request_counts.completed == 360
        pids = list(first.pids.values()) + list(second.pids.values())
        assert len(pids) == 12
        assert [first.stop(), second.stop()] == [0, 0]
    wait_for(lambda: not any(map(is_alive, pids)), 10, "all processes to end")
    assert not (first.data / "stack.json").exists()
    assert "ready http://127.0.0.1:" in first.log()
    assert "page http://127.0.0.1:" in first.log()


def test_a_proxy_of_the_environment_is_never_asked_for_this_machine(
    tmp_path: Path, digits_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nobody listens there.
    dead = dict.fromkeys(
        ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"), "http://127.0.0.1:9"
    )
    for name, url in dead.items():
        monkeypatch.setenv(name, url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with running_stack(tmp_path / "data") as stack, stack.client() as client:
        job = client.wait(client.submit(digits_folder, model="digits"), timeout=60)
        assert job.succeeded


def test_ctrl_c_stops_the_stack_and_the_next_one_goes_on_with_its_jobs(
    tmp_path: Path, digits_folder: Path
) -> None:
    data = tmp_path / "data"
    with running_stack(data) as stack, stack.client() as client:
        os.kill(stack.pids["launcher"], signal.SIGSTOP)
        for name, pid in stack.pids.items():
            if name.startswith("worker"):
                os.kill(pid, signal.SIGKILL)
        job = client.submit(digits_folder, model="digits")
        os.kill(stack.pids["launcher"], signal.SIGKILL)
        stack.process.send_signal(signal.SIGINT)
        assert stack.process.wait(60) == 0
    with running_stack(data) as stack, stack.client() as client:
        done = client.wait(job.id, timeout=60)
        assert done.request_counts.completed == 360
        assert [row["index"] for row in results_of(client, job.id)] == list(range(360))


def test_a_stack_that_is_killed_leaves_no_process_behind(tmp_path: Path) -> None:
    with running_stack(tmp_path / "data") as stack:
        pids = list(stack.pids.values())
        stack.process.kill()
        stack.process.wait()
        wait_for(lambda: not any(map(is_alive, pids)), 40, "all processes to end")


def others_may(folder: Path) -> set[str]:
    """Give what other users of the machine may read, write or enter; a test's own log apart."""
    found = [folder / "blobs", *folder.rglob("*")]
    return {
        str(path.relative_to(folder))
        for path in found
        if path.name != "stack.log" and path.exists() and path.lstat().st_mode & 0o077
    }


def test_another_user_of_the_machine_reads_nothing_of_a_stack(
    tmp_path: Path, digits_folder: Path
) -> None:
    before = os.umask(0o022)
    try:
        # As a version that did not mind has left them.
        (tmp_path / "blobs").mkdir(mode=0o755)
        (tmp_path / "pixelmill.db").touch(0o644)
        with running_stack(tmp_path) as stack, stack.client() as client:
            job = client.wait(client.submit(digits_folder, model="digits"), timeout=60)
            assert list(client.results(job))
            assert (tmp_path / "pixelmill.db-wal").exists()
            assert others_may(tmp_path) == set()
    finally:
        os.umask(before)


def test_a_disk_that_takes_no_more_ends_no_stack_when_a_process_dies(tmp_path: Path) -> None:
    with running_stack(tmp_path) as stack:
        in_the_way = tmp_path / "stack.new"
        in_the_way.mkdir()
        before = stack.kill("beat")
        wait_for(lambda: "stack.json cannot be written" in stack.log(), 30, "a word about it")
        in_the_way.rmdir()
        wait_for(lambda: stack.pids["beat"] != before, 30, "the new beat's id")
        assert stack.stop() == 0


def test_a_reader_of_the_log_that_leaves_ends_no_stack(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pixelmill", "up", "--data", str(tmp_path), "--cpu"]
    process = subprocess.Popen([*command, "--port", "0"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    stack = RunningStack(tmp_path, process)
    try:
        wait_for(lambda: find_stack(tmp_path) or process.poll() is not None, 90, "the stack")
        with stack.client() as client:
            assert client.models()
    finally:
        assert stack.stop() == 0


def test_a_taken_port_is_one_clear_line_and_exit_code_2(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, output = exit_of("--data", str(tmp_path), "--port", str(port))
    assert code == 2
    assert len(output.splitlines()) == 1
    assert str(port) in output
    assert "--port" in output


def test_a_folder_that_cannot_be_written_is_one_clear_line_and_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    code, output = exit_of("--data", str(tmp_path / "file"), "--port", "0")
    assert code == 2
    assert len(output.splitlines()) == 1
    assert "--data" in output


def test_a_second_stack_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    with running_stack(tmp_path):
        code, output = exit_of("--data", str(tmp_path), "--port", "0")
    assert code == 2
    assert "Another stack runs" in output


def test_a_redis_that_cannot_start_is_told_and_exit_code_2(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "redis-server"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    program.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-m", "pixelmill", "up", "--cpu", "--data", str(tmp_path), "--port", "0"],
        env={**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "Redis" in done.stdout
