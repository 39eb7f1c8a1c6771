"""A process of its own that runs jobs over many models, and says how much memory it took.

    python -m tests.integration.workers.device.many_models FOLDER MODELS ROOM SOURCE…

Memory is kept for ROOM models, which are of the sources in turn; three threads drain, as in a
worker process. Prints one JSON object.
"""

import json
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from sqlalchemy import select

from jobs.base.bootstrap import Ground, open_ground
from jobs.base.database import Database
from jobs.base.settings import load_settings
from jobs.base.states import VersionState
from jobs.base.storage import weights_name
from jobs.results.segments import Row
from jobs.tables import Job, ModelVersion
from jobs.tenants.audit import OPERATOR
from jobs.tenants.keys import create_key
from jobs.versions.registry import add_version
from migrations.upgrade import upgrade
from models.records.record import ModelRecord
from models.runtime import weights as weights_file
from models.runtime.network import ImageNetwork
from models.runtime.registry import load
from tests.integration.workers.device.model_sources import SOURCES
from tests.integration.workers.fakes import picture, rows_of_job, submit_contents
from workers.egress import Egress, EgressPolicy
from workers.engine.engine import Engine
from workers.process import Process

PARAMS = {"top_k": 1, "min_confidence": 0.0}
PICTURES = [picture(1), picture(2)]
THREADS = 3
# Models after which threads and the allocator have what they need.
WARM = 20


class Meter:
    """Watches the memory of this process, in bytes, until it is stopped."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(0.01):
            self.seen.append(resident())


def resident() -> int:
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def open_house(folder: Path, model_memory: int) -> Ground:
    url = f"sqlite:///{folder / 'pixelmill.db'}"
    database = Database(url)
    upgrade(database)
    database.close()
    return open_ground(
        load_settings(
            database_url=url,
            redis_url=f"unix://{folder / 'no-redis'}",
            storage_url=(folder / "blobs").as_uri(),
            model_memory=model_memory,
        )
    )


class Source:
    """A network's record and weights, and what it answers where nothing else is loaded."""

    def __init__(self, ground: Ground, record: ModelRecord, weights: bytes) -> None:
        self.record, self.digest, self.blob = record, weights_file.digest(weights), weights_name()
        ground.storage.put(self.blob, [weights])
        network = load(record, weights)
        assert isinstance(network, ImageNetwork)
        outputs = network.forward([network.prepare(each) for each in PICTURES])
        self.answers = [each[0] for each in network.postprocess(outputs, PARAMS)]

    def is_right(self, rows: Sequence[Row]) -> bool:
        """Say whether these are its answers; among a thousand classes one may be as likely."""
        found = [row.predictions[0] for row in rows if row.predictions]
        return len(found) == len(self.answers) and all(
            abs(one["confidence"] - other["confidence"]) < 1e-5
            for one, other in zip(found, self.answers, strict=True)
        )


def register_many(ground: Ground, sources: list[Source], count: int) -> list[ModelVersion]:
    """Register models that differ in their names alone; their weights are a blob a source."""
    ready, versions = VersionState.READY, []
    for number in range(count):
        of = sources[number % len(sources)]
        named, record = (ground.database, f"model-{number}"), of.record.to_json()
        versions.append(add_version(*named, record, of.blob, of.digest, ready, OPERATOR)[0])
    return versions


def run_all(ground: Ground, engine: Engine, versions: list[ModelVersion]) -> None:
    """Run a small job on each of the models."""
    tenant = create_key(ground.database, "acme")
    for version in versions:
        submit_contents(ground, tenant, version, PICTURES, params=PARAMS)
    threads = [threading.Thread(target=engine.drain) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engine.drain()


def count_wrong(ground: Ground, jobs: Sequence[Job], sources: list[Source]) -> int:
    """Count the jobs that were answered otherwise than by their network alone."""
    right = 0
    for job in jobs:
        number = int(job.model_name.removeprefix("model-"))
        right += sources[number % len(sources)].is_right(rows_of_job(ground, job))
    return len(jobs) - right


def main() -> None:
    folder, models, room = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(1)
    made = [SOURCES[name]() for name in sys.argv[4:]]
    size = max(len(weights) for _, weights in made)
    ground = open_house(folder, room * size)
    sources = [Source(ground, *each) for each in made]
    del made
    versions = register_many(ground, sources, models)
    process = Process("node", "cpu", cores=1, decode_threads=2, lanes=1, flight=folder / "flight")
    engine = Engine(ground, process, Egress(EgressPolicy()))
    run_all(ground, engine, versions[:WARM])
    base, meter = resident(), Meter()
    meter.start()
    run_all(ground, engine, versions[WARM:])
    meter.stop()
    with ground.database.read() as session:
        jobs = session.scalars(select(Job)).all()
    said: dict[str, Any] = {
        "size": size,
        "base": base,
        "peak": max(meter.seen),
        "end": resident(),
        "held": len(engine._networks.held()),
        "wrong": count_wrong(ground, jobs, sources),
        "succeeded": sum(job.completed for job in jobs if job.outcome == "succeeded"),
    }
    print(json.dumps(said))
    engine.close()
    ground.close()


if __name__ == "__main__":
    main()
