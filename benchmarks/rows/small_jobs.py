"""How long a small job takes while another tenant's huge one runs.

Tenant B submits jobs of ten digits, inline, and waits for each with `Prefer: wait`. First alone;
then every two seconds, whether or not the one before is over, while tenant A's jobs of 100,000
digits keep every place taken. What is measured is what B sees: from the request to the answer that
says `completed`.

B waits until one of A's shards ends, for what runs is not interrupted. So the bound on B's 95th
percentile is three times the idle one, and one shard's time: the 95th percentile of the times from
claim to commit of A's shards meanwhile, seen by looking ten times a second at which are leased.
"""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
from sqlalchemy import select

from benchmarks.figures import Verdict, percentile
from jobs.base.database import Database
from jobs.base.states import ShardState
from jobs.tables import Shard
from jobs.tenants.keys import create_key
from models.pictures.data import encode, heldout_digits
from pixelmill import ApiError, Client
from tests.e2e.conftest import many_digits_zip
from tests.e2e.stacks import RunningStack, wait_for

SMALL = 10
MODEL = "digits"
# Jobs that nobody counts: the first loads the network.
_WARM_UP = 3
_IDLE_PAUSE_S = 0.3
_LOOK_S = 0.1
_WAIT = {"Prefer": "wait=50"}
_PAUSE_S = 0.02


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    idle: int = 40
    loaded: int = 30
    huge: int = 100_000
    every_s: float = 2.0


class Backlog:
    """Tenant A: huge jobs of one file, so many that work is always left."""

    def __init__(self, client: Client, archive: Path, size: int) -> None:
        self._client, self._size = client, size
        self._file = client.upload(archive)
        self._jobs: list[str] = []

    def begin(self) -> None:
        """Submit the first jobs and wait until both are cut: their first shards run then."""
        self._submit()
        self._submit()
        wait_for(self._is_cut, 300, "the huge jobs to be cut")

    def done(self) -> int:
        """Count the items that are done."""
        return sum(self._client.job(job).request_counts.completed for job in self._jobs)

    def keep_up(self) -> None:
        """Submit another job when less than one is left."""
        if len(self._jobs) * self._size - self.done() < self._size:
            self._submit()

    def end(self) -> None:
        """Cancel what is left."""
        for job in self._jobs:
            with suppress(ApiError):  # it is over
                self._client.cancel(job)

    def _submit(self) -> None:
        self._jobs.append(self._client.submit(self._file, model=MODEL).id)

    def _is_cut(self) -> bool:
        return all(self._client.job(job).request_counts.total for job in self._jobs)


class ShardTimes:
    """Watches from a thread how long each large shard is leased."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._since: dict[int, float] = {}
        self._taken: list[float] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shard times")
        self._thread.start()

    def end(self) -> list[float]:
        """Stop watching; gives the seconds that each shard took which ended meanwhile."""
        self._ended.set()
        self._thread.join()
        return self._taken

    def _run(self) -> None:
        while not self._ended.wait(_LOOK_S):
            self._look(time.monotonic())

    def _look(self, now: float) -> None:
        leased = select(Shard.id).where(Shard.state == ShardState.LEASED, Shard.count > SMALL)
        with self._database.read() as session:
            found = set(session.scalars(leased))
        for shard in found - self._since.keys():
            self._since[shard] = now
        for shard in self._since.keys() - found:
            self._taken.append(now - self._since.pop(shard))


def measure(
    stack: RunningStack, database: Database, folder: Path, plan: Plan
) -> tuple[dict[str, object], list[Verdict]]:
    """Measure both, print them, and compare them."""
    archive = many_digits_zip(folder / "huge.zip", plan.huge)
    keys = {tenant: create_key(database, tenant).key for tenant in ("A", "B")}
    with _caller(stack, keys["B"]) as caller, Client(stack.info["url"], keys["A"]) as client:
        for _ in range(_WARM_UP):
            run_small(caller)
        idle = []
        for _ in range(plan.idle):
            idle.append(run_small(caller))
            time.sleep(_IDLE_PAUSE_S)
        backlog = Backlog(client, archive, plan.huge)
        backlog.begin()
        watch, start, before = ShardTimes(database), time.monotonic(), backlog.done()
        try:
            loaded = _under_load(caller, backlog, plan)
            items_per_s = (backlog.done() - before) / (time.monotonic() - start)
        finally:
            shards = watch.end()
        backlog.end()
    print(f"the huge job: {items_per_s:.0f} items/s")
    return _judge({"idle": idle, "under load": loaded, "shard": shards})


def run_small(caller: httpx.Client) -> float:
    """Submit a small job and wait until it is over; gives the seconds that it took."""
    images, _ = heldout_digits()
    parts = [
        ("files", (f"{number}.png", encode(image, ".png"), "image/png"))
        for number, image in enumerate(images[:SMALL])
    ]
    job = ("job", (None, json.dumps({"model": MODEL}), "application/json"))
    start = time.monotonic()
    answer = caller.post("/v1/jobs", files=[*parts, job], headers=_WAIT)
    # Held for a minute at most, and not at all while the server holds many.
    while (body := answer.raise_for_status().json())["status"] == "in_progress":
        time.sleep(_PAUSE_S)
        answer = caller.get(f"/v1/jobs/{body['id']}", headers=_WAIT)
    taken = time.monotonic() - start
    assert body["request_counts"]["completed"] == SMALL, body
    return taken


def _under_load(caller: httpx.Client, backlog: Backlog, plan: Plan) -> list[float]:
    start = time.monotonic()
    with ThreadPoolExecutor(plan.loaded) as callers:
        running = []
        for number in range(plan.loaded):
            time.sleep(max(0.0, start + number * plan.every_s - time.monotonic()))
            running.append(callers.submit(run_small, caller))
            backlog.keep_up()
        return [each.result() for each in running]


def _judge(times: dict[str, list[float]]) -> tuple[dict[str, object], list[Verdict]]:
    """Hold B's times against the bound; all are in seconds."""
    p95 = {name: percentile(taken, 0.95) for name, taken in times.items()}
    for name, taken in times.items():
        print(
            f"{name:10}: p50 {percentile(taken, 0.5):.3f} s, p95 {p95[name]:.3f} s, "
            f"most {max(taken):.3f} s ({len(taken)})"
        )
    bound = 3 * p95["idle"] + p95["shard"]
    wanted = (
        f"a small job under load, p95 {p95['under load']:.2f} s "
        f"<= 3 x idle + one shard's time = {bound:.2f} s"
    )
    figures: dict[str, object] = {"times_s": times, "p95_s": p95, "bound_s": bound}
    return figures, [Verdict(wanted, p95["under load"] <= bound)]


@contextmanager
def _caller(stack: RunningStack, key: str) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(
        base_url=stack.info["url"], headers=headers, timeout=90, trust_env=False
    ) as caller:
        yield caller
