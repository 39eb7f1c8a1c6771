"""A house to break: a real stack, seen from inside too, with everything that a fault needs."""

import os
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import redis
from sqlalchemy import select

from jobs.base.bootstrap import Ground, open_ground
from jobs.base.settings import load_settings
from jobs.base.states import ShardState
from jobs.tables import Delivery, Shard
from jobs.versions.registry import register
from models.catalog import SHIPPED, shipped_weights
from models.runtime.weights import digest
from pixelmill import Client, Job
from tests.e2e.stacks import RunningStack, running_stack, wait_for
from tests.faults.rig.networks import ARCHITECTURES, hurry_file
from tests.faults.rig.pictures import Answer, write_job
from tests.receivers import Receiver

# Short, so that a fault that lasts longer than a lease does not last long.
LEASE_S = 4.0
STALL_S = 6.0

ENVIRON = {
    "PIXELMILL_EXTENSIONS": "tests.faults.rig.networks",
    "PIXELMILL_DECODER_MODULE": "tests.faults.rig.decoders",
    "PIXELMILL_LEASE_S": str(LEASE_S),
    "PIXELMILL_RENEW_S": "1",
    "PIXELMILL_STALL_S": str(STALL_S),
    # Networks that sleep would do so in all lanes at a time, and be done before a fault strikes.
    "PIXELMILL_LANES": "1",
    "PIXELMILL_EGRESS_ALLOW": "127.0.0.0/8",
    "PIXELMILL_WEBHOOK_TIMEOUT_S": "2",
    "PIXELMILL_WEBHOOK_DELAYS_S": ",".join(["1"] * 20),
    "PIXELMILL_RATE_LIMIT": "",
    "PYTHONPATH": os.getcwd(),
}


class House:
    """A running stack and the ground floor under it."""

    def __init__(self, stack: RunningStack, ground: Ground, receiver: Receiver) -> None:
        self.stack, self.ground, self.receiver = stack, ground, receiver

    def client(self) -> Client:
        return self.stack.client()

    def http(self) -> httpx.Client:
        """Speak to the API without the client's repetitions and refinements."""
        info = self.stack.info
        headers = {"Authorization": f"Bearer {info['api_key']}"}
        return httpx.Client(base_url=info["url"], headers=headers, timeout=10)

    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.ground.settings.redis_url)

    def submit(
        self,
        items: int = 2400,
        *,
        model: str = "paced",
        poison: Mapping[int, tuple[bytes, str]] | None = None,
        **options: Any,
    ) -> tuple[Job, list[Answer]]:
        """Submit a job of so many pictures; gives it and what each item must end with."""
        with tempfile.TemporaryDirectory() as folder, self.client() as client:
            path = Path(folder) / "in.zip"
            expected = write_job(path, items, poison)
            options = {"webhook": self.receiver.url, **options}
            return client.submit(path, model=model, **options), expected

    def finished(self, job: Job) -> int:
        """Count the items that are done by now, past the API."""
        return sum(shard.count for shard in self.shards(job) if shard.state is ShardState.DONE)

    def await_share(self, job: Job, share: float, items: int) -> None:
        """Wait until a share of a job's items is done."""
        wait_for(lambda: self.finished(job) >= share * items, 120, f"{share:.0%} of {job.id}")

    def await_commit(self, job: Job, timeout_s: float = 60) -> float:
        """Wait for the next commit of a job; gives the seconds. Fails when it has none to come."""
        started, before = time.monotonic(), self.finished(job)
        states = {shard.state for shard in self.shards(job)}
        assert not states or states & {ShardState.PENDING, ShardState.LEASED}, "struck too late"
        wait_for(lambda: self.finished(job) > before, timeout_s, f"a commit of {job.id}")
        return time.monotonic() - started

    def shards(self, job: Job) -> list[Shard]:
        with self.ground.database.read() as session:
            return list(session.scalars(select(Shard).where(Shard.job_id == job.id)))

    def leased(self, job: Job, node: str = "") -> list[Shard]:
        """Give the shards that a worker holds at this moment."""
        held = [shard for shard in self.shards(job) if shard.state is ShardState.LEASED]
        return [shard for shard in held if node in (shard.owner or "")]

    def await_takeover(self, held: list[Shard], timeout_s: float = 60) -> float:
        """Wait until others run or have run what a dead worker held; gives the seconds."""
        started = time.monotonic()
        attempts = {shard.id: shard.fence for shard in held}

        def is_taken() -> bool:
            with self.ground.database.read() as session:
                now = session.scalars(select(Shard).where(Shard.id.in_(attempts))).all()
            return all(
                shard.fence > attempts[shard.id]
                or shard.state not in (ShardState.LEASED, ShardState.PENDING)
                for shard in now
            )

        wait_for(is_taken, timeout_s, "the work of a dead worker")
        return time.monotonic() - started

    def deliveries(self, job_id: str) -> list[Delivery]:
        with self.ground.database.read() as session:
            return list(session.scalars(select(Delivery).where(Delivery.job_id == job_id)))

    def signal(self, role: str, number: int) -> int:
        pid = self.stack.pids[role]
        os.kill(pid, number)
        return pid

    def kill(self, role: str) -> int:
        return self.signal(role, signal.SIGKILL)

    def kill_family(self, role: str) -> list[int]:
        """SIGKILL a role's process and its children; gives their ids."""
        pid = self.stack.pids[role]
        family = [pid, *children_of(pid)]
        for each in family:  # the parent first: it would replace the others
            os.kill(each, signal.SIGKILL)
        return family

    @contextmanager
    def hurrying(self) -> Iterator[None]:
        """Let slow networks be fast while the block runs."""
        path = hurry_file({"PIXELMILL_FAULTS_FOLDER": str(self.stack.data.parent)})
        path.touch()
        try:
            yield
        finally:
            path.unlink()

    def await_api(self) -> float:
        """Wait until the API answers; gives the seconds."""
        started = time.monotonic()

        def answers() -> bool:
            try:
                return httpx.get(f"{self.stack.info['url']}/healthz", timeout=1).is_success
            except httpx.TransportError:
                return False

        wait_for(answers, 60, "the API")
        return time.monotonic() - started

    def await_successor(self, role: str, pid: int) -> int:
        """Wait until another process plays a role; gives its id."""

        def successor() -> int | None:
            now = self.stack.pids.get(role)
            return now if now not in (None, pid) else None

        return wait_for(successor, 60, f"the next {role}")

    def await_log(self, mark: int, *words: str) -> None:
        """Wait for a line with all of these words that was logged after a mark."""

        def is_there() -> bool:
            lines = self.log_since(mark).splitlines()
            return any(all(word in line for word in words) for line in lines)

        wait_for(is_there, 60, f"a line with {', '.join(words)}")

    def mark(self) -> int:
        """Give a place in the log, to read on from."""
        return len(self.stack.log())

    def log_since(self, mark: int) -> str:
        return self.stack.log()[mark:]


@contextmanager
def open_house(
    receiver: Receiver, database_url: str | None = None, workers: int = 2, **environ: str
) -> Iterator[House]:
    """Start a stack for faults, with the faulty networks registered."""
    # Short, so that Redis's socket fits into it.
    with tempfile.TemporaryDirectory(prefix="pm-") as folder:
        data = Path(folder) / "data"
        urls = {
            "PIXELMILL_DATABASE_URL": database_url or f"sqlite:///{data / 'pixelmill.db'}",
            "PIXELMILL_STORAGE_URL": (data / "blobs").as_uri(),
            "PIXELMILL_FAULTS_FOLDER": folder,
        }
        environ = {**ENVIRON, **urls, **environ}
        with running_stack(data, "--workers", str(workers), **environ) as stack:
            ground = open_ground(
                load_settings(
                    database_url=urls["PIXELMILL_DATABASE_URL"],
                    storage_url=environ["PIXELMILL_STORAGE_URL"],
                    redis_url=f"unix://{data}/run/redis.sock?db=0",
                )
            )
            register_networks(ground)
            # The io worker too. On a busy machine this takes longer than the API's start.
            wait_for(lambda: stack.log().count("worker_started") > workers, 120, "the workers")
            try:
                yield House(stack, ground, receiver)
            finally:
                ground.close()


def children_of(pid: int) -> list[int]:
    """Give the ids of a process's children."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for each in lists for child in each.read_text().split()]


def environ_of(pid: int) -> dict[str, str]:
    """Give the environment that a process was started with."""
    pairs = Path(f"/proc/{pid}/environ").read_text().rstrip("\0").split("\0")
    return dict(pair.split("=", 1) for pair in pairs)


def register_networks(ground: Ground) -> None:
    """Register the test networks under their last names, all with the weights of `digits`."""
    weights = shipped_weights("digits").read_bytes()
    for architecture in ARCHITECTURES:
        record = SHIPPED["digits"].to_json() | {
            "name": architecture.rpartition("/")[2],
            "architecture": architecture,
            "max_batch": 32,
            "shard_items": 50,
        }
        register(ground.database, ground.storage, record["name"], record, weights, digest(weights))
