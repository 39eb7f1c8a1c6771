"""Watched folders through a real stack, whose io worker is killed again and again."""

import json
import os
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pixelmill import Client
from tests.documents import examples
from tests.e2e.stacks import RunningStack, results_of, running_stack, wait_for
from tests.e2e.test_buckets import command, operate
from tests.integration.buckets.servers import LOOPBACK, S3, s3_server

COUNT, KILLS = 1000, 3
# Longer than three workers take to start again.
ARRIVING_S = 120
WAIT_S = 300


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with s3_server() as server:
        yield server


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("disk")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, s3: S3, disk: Path) -> Iterator[RunningStack]:
    credentials = {"s3": {**s3.credentials, "endpoint": s3.endpoint}}
    with running_stack(
        tmp_path_factory.mktemp("house"),
        PIXELMILL_BUCKET_NETWORKS=LOOPBACK,
        PIXELMILL_BUCKET_CREDENTIALS=json.dumps(credentials),
        # What a killed worker held is due again soon.
        PIXELMILL_LEASE_S="6",
        PIXELMILL_RENEW_S="2",
    ) as running:
        for folder in ("s3://photos/digits/", "s3://photos/gate/"):
            operate(running, "allow", folder, "--tenant", "local", s3=s3)
        command(running, "buckets", "allow", disk.as_uri(), "--tenant", "local")
        yield running


@pytest.mark.parametrize("store", [pytest.param("file", marks=pytest.mark.deep), "s3"])
def test_a_thousand_objects_that_come_at_random_are_run_once_while_io_is_killed_three_times(
    house: RunningStack, s3: S3, disk: Path, digits_folder: Path, store: str
) -> None:
    contents = [path.read_bytes() for path in sorted(digits_folder.iterdir())]
    draw = random.Random(store)
    # In no order of names, in folders, and some with a name that is read after all others.
    names = [f"{draw.choice('abz')}/{number:04d}.png" for number in range(COUNT)]
    draw.shuffle(names)

    def put(number: int) -> None:
        content = contents[number % len(contents)]
        if store == "s3":
            s3.put(f"gate/{names[number]}", content)
            return
        path = disk / names[number]
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)

    folder = disk.as_uri() if store == "file" else "s3://photos/gate/"
    with house.client() as client:
        watch = client.watches.create(folder, model="digits", interval_seconds=1)
        with arriving(put, draw) as arrivals:
            for _ in range(KILLS):
                kill_at_random(house, client, watch.id, arrivals, draw)
        wait_for(lambda: client.watches.get(watch).objects_seen >= COUNT, WAIT_S, "all to be seen")
        wait_for(lambda: is_done(client, watch.id), WAIT_S, "all jobs to end")
        # And not once more by a listing that comes afterwards.
        at = client.watches.get(watch).last_listed_at or 0
        wait_for(lambda: (client.watches.get(watch).last_listed_at or 0) > at + 1, WAIT_S, "a look")
        ended = client.watches.pause(watch)
        jobs = list(client.jobs(watch=watch))
        rows = [row for job in jobs for row in results_of(client, job.id)]
    assert (ended.objects_seen, ended.jobs_created) == (COUNT, len(jobs))
    assert ended.backlog.objects == ended.backlog.items == 0
    assert Counter(row["custom_id"] for row in rows) == Counter(names)
    assert {row["status"] for row in rows} == {"succeeded"}
    assert len(jobs) > 1, "all of them came before the first look"


class Arrivals:
    """How many objects have come."""

    count = 0


@contextmanager
def arriving(put: Callable[[int], None], draw: random.Random) -> Iterator[Arrivals]:
    """Put the objects one by one while the block runs, and the rest when it ends."""
    arrivals, faults = Arrivals(), list[Exception]()
    pauses = [draw.expovariate(COUNT / ARRIVING_S) for _ in range(COUNT)]
    enough = threading.Event()

    def run() -> None:
        try:
            for number, pause in enumerate(pauses):
                # The arrivals themselves: nobody waits here for anything.
                enough.wait(pause)
                put(number)
                arrivals.count = number + 1
        except Exception as err:
            faults.append(err)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield arrivals
    finally:
        enough.set()
        thread.join()
    assert faults == []


def kill_at_random(
    house: RunningStack, client: Client, watch: str, arrivals: Arrivals, draw: random.Random
) -> None:
    """Kill the io worker once it has found something, and some more objects have come."""
    before = client.watches.get(watch).objects_seen
    wait_for(lambda: client.watches.get(watch).objects_seen > before, WAIT_S, "something new")
    until = min(COUNT, arrivals.count + draw.randrange(1, 60))
    wait_for(lambda: arrivals.count >= until, WAIT_S, "arrivals")
    house.kill("io")


def is_done(client: Client, watch_id: str) -> bool:
    return all(job.is_terminal for job in client.jobs(watch=watch_id))


def test_what_the_document_says_works_as_it_stands(
    house: RunningStack, s3: S3, digits_folder: Path
) -> None:
    s3.put("digits/a.png", sorted(digits_folder.iterdir())[0].read_bytes())
    text = (Path(__file__).parents[2] / "docs" / "watches.md").read_text()
    environ = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PIXELMILL_DATA": str(house.data),
        "PIXELMILL_URL": house.info["url"],
        "PIXELMILL_API_KEY": house.info["api_key"],
    }
    ran = 0
    for example in examples(text):
        code = example.text.replace("curl ", "curl --silent --show-error --fail-with-body ")
        shell = ["bash", "-e", "-c"] if example.language == "bash" else [sys.executable, "-c"]
        done = subprocess.run([*shell, code], env=environ, capture_output=True, text=True)
        assert done.returncode == 0, f"{example.place}: {done.stdout}{done.stderr}"
        ran += 1
    assert ran == 3
    with house.client() as client:
        paused, active = (w for w in reversed(client.watches.list()) if "digits" in w.prefix)
        assert (paused.state, active.state) == ("paused", "active")
        wait_for(lambda: client.watches.get(active).jobs_created == 1, WAIT_S, "its job")
