"""Every way in for files: each hands a folder's files over and gives the rows by file name."""

import base64
import http.server
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from pixelmill import Job
from tests.e2e.stacks import RunningStack, results_of
from tests.loopback import serving

WAIT_S = 180
Rows = dict[str, dict[str, Any]]
Door = Callable[[RunningStack, Sequence[Path], str, Path], Rows]
"""Sends files to a model; the last is an empty folder for what is made on the way."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on loopback; gives its URL."""
    handler = partial(_Quiet, directory=str(folder))
    with serving(handler) as at:
        yield at


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


def by_archive(stack: RunningStack, files: Sequence[Path], model: str, room: Path) -> Rows:
    """Upload them in one zip."""
    return _packed(stack, files, model, room / "files.zip")


def by_tar(stack: RunningStack, files: Sequence[Path], model: str, room: Path) -> Rows:
    """Upload them in one tar.gz."""
    return _packed(stack, files, model, room / "files.tar.gz")


def by_multipart(stack: RunningStack, files: Sequence[Path], model: str, room: Path) -> Rows:
    """Send them as parts of one submission."""
    parts = [("files", (path.name, path.read_bytes(), "image/png")) for path in files]
    job_part = ("job", (None, json.dumps({"model": model}), "application/json"))
    answer = httpx.post(
        f"{stack.info['url']}/v1/jobs",
        files=[*parts, job_part],
        headers={"authorization": f"Bearer {stack.info['api_key']}"},
        timeout=60,
    )
    assert answer.status_code == 202, answer.text
    return _rows(stack, answer.json()["id"])


def by_json(stack: RunningStack, files: Sequence[Path], model: str, room: Path) -> Rows:
    """Send them as base64 in JSON."""
    requests = [
        {
            "custom_id": path.name,
            "input": {"data": base64.b64encode(path.read_bytes()).decode()},
        }
        for path in files
    ]
    with stack.client() as client:
        return _rows(stack, client.submit(requests, model=model).id)


def by_url(stack: RunningStack, files: Sequence[Path], model: str, room: Path) -> Rows:
    """Let them be fetched from a server."""
    with served(files[0].parent) as root, stack.client() as client:
        requests = [
            {"custom_id": path.name, "input": {"url": f"{root}/{path.name}"}} for path in files
        ]
        return _rows(stack, client.submit(requests, model=model).id)


def by_command_line(stack: RunningStack, files: Sequence[Path], model: str, room: Path) -> Rows:
    """Name them to `pixelmill submit`."""
    job = submitted_by_command_line(stack, files, model)
    return _rows(stack, job["id"])


def submitted_by_command_line(
    stack: RunningStack, files: Sequence[Path], model: str
) -> Mapping[str, Any]:
    """Run `pixelmill submit --wait`; gives the job."""
    plain = {name: value for name, value in os.environ.items() if "PIXELMILL" not in name}
    command = [sys.executable, "-m", "pixelmill", "submit", *map(str, files)]
    done = subprocess.run(
        [*command, "--model", model, "--wait", "--json"],
        env={**plain, "PIXELMILL_DATA": str(stack.data)},
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    # 1: some items are errors.
    assert done.returncode in (0, 1), done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def uploaded(stack: RunningStack, archive: Path, model: str) -> tuple[Job, list[dict[str, Any]]]:
    """Submit an archive; gives its job and its rows in order."""
    with stack.client() as client:
        job = client.wait(client.submit(archive, model=model), timeout=WAIT_S)
        return job, results_of(client, job.id) if job.status != "failed" else []


def _packed(stack: RunningStack, files: Sequence[Path], model: str, target: Path) -> Rows:
    if target.suffix == ".zip":
        with zipfile.ZipFile(target, "w") as archive:
            for path in files:
                archive.write(path, path.name)
    else:
        with tarfile.open(target, "w:gz") as tar:
            for path in files:
                tar.add(path, path.name)
    job, rows = uploaded(stack, target, model)
    assert job.status == "completed", job.status_reason
    return _named(rows)


def _rows(stack: RunningStack, job_id: str) -> Rows:
    with stack.client() as client:
        job = client.wait(job_id, timeout=WAIT_S)
        assert job.status == "completed", job.status_reason
        return _named(results_of(client, job.id))


def _named(rows: Sequence[dict[str, Any]]) -> Rows:
    return {row["custom_id"].rpartition("/")[2]: row for row in rows}


DOORS: Mapping[str, Door] = {
    "a zip": by_archive,
    "a tar.gz": by_tar,
    "multipart": by_multipart,
    "JSON data": by_json,
    "URLs": by_url,
    "the command line": by_command_line,
}
