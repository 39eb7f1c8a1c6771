"""A process of its own that runs jobs over many models, and says how much memory it took.

    python -m tests.integration.workers.many_models FOLDER MODELS ROOM

Memory is kept for ROOM models; three threads drain, as in a worker process. Prints one JSON object.
"""

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import torch
from sqlalchemy import select

from jobs.base.bootstrap import Ground, open_ground
from jobs.base.database import Database
from jobs.base.settings import load_settings
from jobs.base.states import VersionState
from jobs.base.storage import weights_name
from jobs.tables import Job, ModelVersion
from jobs.tenants.audit import OPERATOR
from jobs.tenants.keys import create_key
from jobs.versions.registry import add_version
from migrations.upgrade import upgrade
from models.records.record import ModelRecord
from models.runtime import weights as weights_file
from models.runtime.torch_runtime import build
from tests.integration.workers.fakes import picture, submit_contents
from workers.egress import Egress, EgressPolicy
from workers.engine.engine import Engine
from workers.process import Process

# 10 MB of weights.
RECORD = ModelRecord(
    "model",
    "classification",
    "torchvision/mobilenet_v3_small",
    tuple(map(str, range(1000))),
    {"resize": 64, "crop": 64, "channels": 3, "mean": [0.0] * 3, "std": [1.0] * 3},
)
PARAMS = {"top_k": 1, "min_confidence": 0.0}
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


def register_many(ground: Ground, weights: bytes, count: int) -> list[ModelVersion]:
    """Register models that differ in their names alone; their weights are one blob."""
    blob, digest = weights_name(), weights_file.digest(weights)
    ground.storage.put(blob, [weights])
    record, ready = RECORD.to_json(), VersionState.READY
    return [
        add_version(ground.database, f"model-{number}", record, blob, digest, ready, OPERATOR)[0]
        for number in range(count)
    ]


def run_all(ground: Ground, engine: Engine, versions: list[ModelVersion]) -> None:
    """Run a small job on each of the models."""
    tenant = create_key(ground.database, "acme")
    for version in versions:
        submit_contents(ground, tenant, version, [picture(1), picture(2)], params=PARAMS)
    threads = [threading.Thread(target=engine.drain) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engine.drain()


def main() -> None:
    folder, models, room = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(1)
    weights = weights_file.write(build(RECORD).state_dict())
    size = len(weights)
    ground = open_house(folder, room * size)
    versions = register_many(ground, weights, models)
    del weights
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
        "succeeded": sum(job.completed for job in jobs if job.outcome == "succeeded"),
    }
    print(json.dumps(said))
    engine.close()
    ground.close()


if __name__ == "__main__":
    main()
