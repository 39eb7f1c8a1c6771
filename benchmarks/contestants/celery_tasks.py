"""The worker's side of `celery_images`: `celery -A benchmarks.contestants.celery_tasks worker`."""

import os
from functools import lru_cache
from pathlib import Path

from celery import Celery

from benchmarks.works import Work
from models.runtime.network import Network

WORK, REDIS = "BENCHMARK_WORK", "BENCHMARK_REDIS"

app = Celery("images", broker=os.environ[REDIS], backend=os.environ[REDIS])


@lru_cache(1)
def _network() -> Network:
    return Work(Path(os.environ[WORK])).load()


@app.task
def classify(path: str) -> int:
    """Infer one picture."""
    network = _network()
    outputs = network.forward([network.prepare(Path(path).read_bytes())])
    return int(outputs[0].argmax())
