"""Roles other than the inference workers killed, doubled, or all restarted one after the other."""

import io
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobs.base.states import JobStatus
from jobs.tables import Job as Row
from pixelmill import Job
from tests.e2e.stacks import is_alive, wait_for
from tests.faults.conftest import Report
from tests.faults.rig.houses import House, environ_of
from tests.faults.rig.oracle import check
from tests.faults.rig.pictures import Answer, direct_inference


def test_launcher_killed_takes_its_workers_along_and_the_next_one_goes_on(
    house: House, choose, report: Report
) -> None:
    items = 1600
    job, expected = house.submit(items)
    house.await_share(job, choose.uniform(0.0, 0.5), items)
    time.sleep(choose.uniform(0, 0.4))
    held, workers = house.leased(job), [house.stack.pids[f"worker-{n}"] for n in (0, 1)]
    pid = house.kill("launcher")
    # Or two processes would share a name, and one's successor take the other's leases.
    wait_for(lambda: not any(map(is_alive, workers)), 5, "the end of the launcher's workers")
    seconds = house.await_takeover(held) if held else house.await_commit(job)
    house.await_successor("launcher", pid)
    check(house, job, expected)
    report("SIGKILL of the launcher of all workers", items, seconds)


def test_io_worker_killed_while_it_prepares_a_job(
    house: House, tmp_path: Path, choose, report: Report
) -> None:
    items = 400
    expected = write_slow_to_prepare(tmp_path / "in.tar.gz", items)
    with house.client() as client:
        file = client.upload(tmp_path / "in.tar.gz")
        job = client.submit(file, model="paced", webhook=house.receiver.url)
    wait_for(lambda: _row(house, job).prepare_fence == 1, 30, "the preparation")
    time.sleep(choose.uniform(0, 0.3))
    assert _row(house, job).status is JobStatus.VALIDATING, "prepared before it could be disturbed"
    started = time.monotonic()
    pid = house.kill("io")
    assert _row(house, job).status is JobStatus.VALIDATING
    wait_for(lambda: _row(house, job).status is not JobStatus.VALIDATING, 60, "the next one")
    seconds = time.monotonic() - started
    house.await_successor("io", pid)
    assert _row(house, job).prepare_fence == 2
    check(house, job, expected)
    report("SIGKILL of the io worker while it prepares a job", items, seconds)


def test_beat_killed(house: House, choose, report: Report) -> None:
    items = 1200
    job, expected = house.submit(items)
    house.await_share(job, choose.uniform(0.0, 0.5), items)
    time.sleep(choose.uniform(0, 0.4))
    pid = house.kill("beat")
    seconds = house.await_commit(job)
    house.await_successor("beat", pid)
    check(house, job, expected)
    report("SIGKILL of the beat", items, seconds)


def test_two_beats_at_once_do_nothing_twice(
    house: House, tmp_path: Path, choose, report: Report
) -> None:
    items = 300
    with second_beat(house, tmp_path / "beat") as second:
        submitted = []
        for _ in range(4):
            submitted.append(house.submit(items))
            time.sleep(choose.uniform(0, 1))
        for job, expected in submitted:
            check(house, job, expected)
        assert second.poll() is None
    report("two beats at once", items * len(submitted))


def test_everything_restarted_one_after_the_other_during_a_job(
    house: House, choose, report: Report
) -> None:
    items = 18_000
    job, expected = house.submit(items, model="slow")
    house.await_share(job, choose.uniform(0.0, 0.05), items)
    with longest_pause(house, job) as pauses:
        for role in ("api", "io", "beat", "worker-0", "worker-1", "launcher", "redis"):
            time.sleep(choose.uniform(0, 0.5))
            assert house.finished(job) < items, f"the job was over before {role} was restarted"
            restart(house, role)
        seconds = max(pauses)
    with house.hurrying():
        verdict = check(house, job, expected)
    again = [row for row in verdict.rows if row["attempts"] != 1]
    assert again == [], f"{len(again)} items ran twice"
    report("SIGTERM of every role, one after the other, in a job", items, seconds)


def restart(house: House, role: str) -> None:
    """End a role in good order, as a supervisor does, and wait until the next one plays it."""
    mark = house.mark()
    house.await_successor(role, house.signal(role, signal.SIGTERM))
    if role == "api":
        house.await_api()
    elif role == "redis":
        wait_for(lambda: _answers(house), 20, "Redis")
    elif role == "launcher":
        for number in range(2):
            house.await_log(mark, "worker_started", f"cpu{number}")
    elif role != "beat":
        house.await_log(mark, "worker_started", role.replace("worker-", "cpu"))


@contextmanager
def second_beat(house: House, path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run another beat beside the house's own."""
    environ = environ_of(house.stack.pids["beat"])
    command = [sys.executable, "-m", "workers.launcher", "--beat", str(path)]
    with (house.stack.data / "beat.log").open("ab") as log:
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
        try:
            # It has written its times: it runs.
            wait_for(lambda: list(path.parent.glob(f"{path.name}*")), 60, "the second beat")
            yield process
        finally:
            process.terminate()
            process.wait(20)


@contextmanager
def longest_pause(house: House, job: Job) -> Iterator[list[float]]:
    """Watch for how long no item of a job was done, as long as the block runs."""
    pauses, over = [0.0], threading.Event()

    def watch() -> None:
        before, since = house.finished(job), time.monotonic()
        while not over.wait(0.1):
            now = house.finished(job)
            pauses.append(time.monotonic() - since)
            if now > before:
                before, since = now, time.monotonic()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield pauses
    finally:
        over.set()
        thread.join()


def write_slow_to_prepare(path: Path, items: int) -> list[Answer]:
    """Write a tar.gz that takes its io worker a second: a lot of padding to unpack and store."""
    files, answers = direct_inference()
    # Not all zeros: what is packed too tightly is refused.
    padding = os.urandom(16_000) + bytes(1_000_000)
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for index in range(items):
            data = files[index % len(files)] + padding
            member = tarfile.TarInfo(f"{index:06d}.png")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return [answers[index % len(answers)] for index in range(items)]


def _row(house: House, job: Job) -> Row:
    with house.ground.database.read() as session:
        return session.get_one(Row, job.id)


def _answers(house: House) -> bool:
    return house.ground.hints.is_reachable()
