"""A bucket of small pictures to Parquet in the bucket, while worker and io are killed: each once.

PIXELMILL_DEEP_PICTURES says how many, PIXELMILL_S3RVER where a second S3 server's program lies.
"""

import asyncio
import io
import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import obstore
import pyarrow.parquet as pq
import pytest

from pixelmill import Job
from tests.e2e.stacks import RunningStack, running_stack, wait_for
from tests.e2e.test_buckets import operate
from tests.integration.buckets.servers import LOOPBACK, S3, client_of

COUNT = int(os.environ.get("PIXELMILL_DEEP_PICTURES", "100000"))
S3RVER = os.environ.get("PIXELMILL_S3RVER", "")
AT_ONCE, KILLS = 16, 6
LONGEST_S = 3600.0

pytestmark = [pytest.mark.deep, pytest.mark.timeout(2 * LONGEST_S)]


class S3rver(S3):
    """The server of that name, which knows one key."""

    @property
    def credentials(self) -> dict[str, str]:
        return {"access_key_id": "S3RVER", "secret_access_key": "S3RVER", "region": "us-east-1"}


@contextmanager
def serving(kind: str, room: Path) -> Iterator[S3]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    at = ["-p", str(port)]
    own = [S3RVER, "-a", "127.0.0.1", "-d", str(room), "-s", "--configure-bucket", "photos"]
    commands = {
        "moto": [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", *at],
        "s3rver": [*own, *at],
    }
    with (room / "server.log").open("wb") as log:
        # s3rver makes its continuation tokens by a cipher that newer versions of Node hide.
        environ = {**os.environ, "NODE_OPTIONS": "--openssl-legacy-provider"}
        process = subprocess.Popen(commands[kind], env=environ, stdout=log, stderr=log)
    try:
        s3 = (S3rver if kind == "s3rver" else S3)(f"http://127.0.0.1:{port}")
        wait_for(lambda: _has_bucket(s3, kind), 60, f"{kind}")
        yield s3
    finally:
        process.terminate()
        process.wait(30)


def _has_bucket(s3: S3, kind: str) -> bool:
    try:
        if kind == "moto":
            client_of(s3.endpoint).create_bucket(Bucket="photos")
        list(obstore.list(s3.store()))
    except Exception:  # whatever it says before it is there
        return False
    return True


def fill(s3: S3, pictures: list[bytes]) -> None:
    store = s3.store()

    async def put_all() -> None:
        free = asyncio.Semaphore(AT_ONCE)

        async def put(number: int) -> None:
            async with free:
                key = f"in/{number // 1000:03}/{number:06}.png"
                await obstore.put_async(store, key, pictures[number % len(pictures)])

        await asyncio.gather(*(put(number) for number in range(COUNT)))

    asyncio.run(put_all())


class Killer:
    """Kills a worker or io of a stack whenever a job has gone on for another part of its way.

    By the clock, a busy machine would kill each before it has begun to work.
    """

    def __init__(self, stack: RunningStack, times: int) -> None:
        self._stack, self._random = stack, random.Random(times)
        self._at = [part / (times + 1) for part in range(1, times + 1)]
        self.killed: list[str] = []

    def look(self, job: Job) -> None:
        counts = job.request_counts
        if self._at and counts.total and counts.finished / counts.total >= self._at[0]:
            self._at.pop(0)
            self.kill(self._random.choice(["worker-0", "io"]))

    def kill(self, name: str) -> None:
        self._stack.kill(name)
        self.killed.append(name)


def peak_kib(pids: dict[str, int]) -> dict[str, int]:
    found = {}
    for name, pid in pids.items():
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        # One that has just died has none.
        if peak := status.partition("VmHWM:")[2].split():
            found[name] = int(peak[0])
    return found


@pytest.mark.parametrize("kind", ["moto", "s3rver"])
def test_each_object_is_a_row_once_whoever_is_killed(
    kind: str, digits_folder: Path, tmp_path: Path
) -> None:
    if kind == "s3rver" and not S3RVER:
        pytest.skip("PIXELMILL_S3RVER does not say where s3rver lies")
    pictures = [path.read_bytes() for path in sorted(digits_folder.iterdir())]
    room = tmp_path / "server"
    room.mkdir()
    with serving(kind, room) as s3:
        began = time.monotonic()
        fill(s3, pictures)
        print(f"{kind}: {COUNT:,} objects put in {time.monotonic() - began:.0f} s", flush=True)
        credentials = {"s3": {**s3.credentials, "endpoint": s3.endpoint}}
        environ = {
            "PIXELMILL_BUCKET_NETWORKS": LOOPBACK,
            "PIXELMILL_BUCKET_CREDENTIALS": json.dumps(credentials),
            "PIXELMILL_OUTPUT_DELAYS_S": "1,1,1,1,1,1,1,1",
        }
        with running_stack(tmp_path / "house", **environ) as stack:
            _run(stack, s3, kind)


def _run(stack: RunningStack, s3: S3, kind: str) -> None:
    operate(stack, "allow", "s3://photos/in/", "--tenant", "local", s3=s3)
    operate(stack, "allow", "s3://photos/out/", "--tenant", "local", "--write", s3=s3)
    killer, began = Killer(stack, KILLS), time.monotonic()
    with stack.client() as client:
        job = client.submit("s3://photos/in/", model="digits", output="s3://photos/out/")
        killer.kill("io")
        job = client.wait(job, LONGEST_S, killer.look)
        over = time.monotonic()
        killer.kill("io")
        job = client.wait_for_output(job, 600)
    print(
        f"{kind}: over after {over - began:.0f} s, written {time.monotonic() - over:.0f} s later; "
        f"killed {killer.killed}; peaks {peak_kib(stack.pids)} KiB",
        flush=True,
    )
    _check(s3, job.id, job.raw["output"])


def _check(s3: S3, job: str, output: dict[str, Any]) -> None:
    assert output["status"] == "written", output
    store = s3.store()

    def get(name: str) -> bytes:
        return bytes(obstore.get(store, f"out/{job}/{name}").bytes())

    manifest = json.loads(get("_manifest.json"))
    lying = {each["path"] for page in obstore.list(store, f"out/{job}") for each in page}
    named = {f"out/{job}/{part['name']}" for part in manifest["parts"]}
    assert lying == named | {f"out/{job}/_manifest.json"}
    tables = [pq.read_table(io.BytesIO(get(part["name"]))) for part in manifest["parts"]]
    names = [name for table in tables for name in table["custom_id"].to_pylist()]
    statuses = {each for table in tables for each in table["status"].to_pylist()}
    assert len(names) == len(set(names)) == COUNT == manifest["rows"]
    assert statuses == {"succeeded"}
    print(f"{len(named)} parts, {output['bytes']:,} bytes, {output['attempts']} tries", flush=True)
