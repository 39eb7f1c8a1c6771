"""The Procfile as an operator runs it: honcho, real Redis, real PostgreSQL, one job over HTTP."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.pictures.data import heldout_digits, write_png_folder
from tests.e2e.stacks import wait_for
from tests.servers import create_database, drop_database

PROCFILE = Path(__file__).parents[3] / "Procfile"
PROCESSES = ("api", "worker", "io", "beat")
DATABASE = f"pixelmill_procfile_{os.getpid()}"


@pytest.fixture
def environ(postgresql_url: str, redis_url: str, tmp_path: Path) -> Iterator[dict[str, str]]:
    """An installation's environment, on a database that has no tables yet."""
    programs = str(Path(sys.executable).parent)
    inherited = {key: value for key, value in os.environ.items() if "PIXELMILL" not in key}
    yield inherited | {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONUNBUFFERED": "1",
        "PIXELMILL_DATABASE_URL": create_database(postgresql_url, DATABASE),
        "PIXELMILL_REDIS_URL": redis_url,
        "PIXELMILL_STORAGE_URL": (tmp_path / "blobs").as_uri(),
    }
    drop_database(postgresql_url, DATABASE)


def honcho(*arguments: str) -> list[str]:
    """Give the command line that runs the real Procfile in whatever folder it is started in."""
    return ["honcho", "-f", str(PROCFILE), "start", *arguments]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def processes_of(environ: dict[str, str]) -> dict[int, str]:
    """Give every living process that works on the test's database, whoever its parent is now."""
    mark = environ["PIXELMILL_DATABASE_URL"].encode()
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes():
                words = (folder / "cmdline").read_bytes().split(b"\0")
                found[int(folder.name)] = b" ".join(words).decode()
        except OSError:
            continue
    return found


def pids_of(words: str, environ: dict[str, str]) -> list[int]:
    return [pid for pid, command in processes_of(environ).items() if words in command]


def make_key(environ: dict[str, str], folder: Path) -> str:
    command = ["flask", "--app", "api.wsgi", "keys", "create", "--tenant", "acme", "--json"]
    made = subprocess.run(command, env=environ, cwd=folder, capture_output=True, check=True)
    return str(json.loads(made.stdout)["key"])


@contextmanager
def running(environ: dict[str, str], folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run the Procfile's lasting processes until the block ends."""
    with (folder / "honcho.log").open("wb") as log:
        command = honcho("-p", str(port), *PROCESSES)
        process = subprocess.Popen(command, env=environ, cwd=folder, stdout=log, stderr=log)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(30)


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def run_digits(client: httpx.Client, folder: Path) -> dict[str, Any]:
    """Submit three digits and wait for the end; checks the answers and gives the job."""
    images, labels = heldout_digits()
    written = write_png_folder(folder, images[:3], labels[:3])
    parts = [("files", (path.name, path.read_bytes(), "image/png")) for path, _ in written]
    job = [("job", (None, json.dumps({"model": "digits"}), "application/json"))]
    answer = client.post("/v1/jobs", files=[*parts, *job])
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    place = f"/v1/jobs/{answer.json()['id']}"
    done = wait_for(lambda: ended(client.get(place)), 120, "the job")
    assert done["request_counts"]["completed"] == 3
    rows = client.get(f"{place}/results").json()["data"]
    assert {path.name: str(label) for path, label in written} == {
        row["custom_id"]: row["predictions"][0]["class"] for row in rows
    }
    return done


def ended(answer: httpx.Response) -> dict[str, Any] | None:
    assert answer.status_code == httpx.codes.OK, answer.text
    job = answer.json()
    return job if job["status"] not in ("validating", "in_progress") else None


def test_the_procfile_runs_a_job_and_ends_without_a_trace(
    environ: dict[str, str], tmp_path: Path
) -> None:
    release = subprocess.run(
        honcho("release"), env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert release.returncode == 0, release.stdout
    assert "digits@1 sha256:" in release.stdout
    blobs = list((tmp_path / "blobs").rglob("*"))
    assert blobs
    assert not any(path.stat().st_mode & 0o077 for path in blobs), "others may read"
    port = free_port()
    headers = {"Authorization": f"Bearer {make_key(environ, tmp_path)}"}
    with (
        running(environ, tmp_path, port) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30) as client,
    ):
        log = tmp_path / "honcho.log"
        wait_for(
            lambda: is_ready(str(client.base_url)) or process.poll() is not None, 120, "the API"
        )
        assert process.poll() is None, log.read_text()
        assert run_digits(client, tmp_path / "digits")["status"] == "completed"
        for words in ("api.front", "--queues cpu", "--queues io", "workers.main beat"):
            assert pids_of(words, environ), words
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 128 + signal.SIGTERM
    wait_for(lambda: not processes_of(environ), 15, "all processes to end")
    said = log.read_text()
    assert "Traceback" not in said
    assert all(f"{name}.1 stopped" in said for name in PROCESSES)


def test_one_process_that_dies_ends_them_all_so_that_a_supervisor_sees_it(
    environ: dict[str, str], tmp_path: Path
) -> None:
    # Without the release step the database has no tables; the processes run all the same.
    (tmp_path / ".pixelmill").mkdir()
    with running(environ, tmp_path, free_port()) as process:
        beat = wait_for(lambda: pids_of("workers.main beat", environ), 60, "the beat")
        os.kill(beat[0], signal.SIGKILL)
        assert process.wait(30) != 0
        assert "beat.1 stopped" in (tmp_path / "honcho.log").read_text()
    wait_for(lambda: not processes_of(environ), 15, "all processes to end")
