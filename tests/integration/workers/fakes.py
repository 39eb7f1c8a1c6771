"""Networks made by hand: they count their batches, and fail where a test wants them to."""

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from jobs.archives import extract
from jobs.base.bootstrap import Ground
from jobs.inputs.manifests import Manifest
from jobs.inputs.requests import Request
from jobs.queue.scheduling import ShardLease
from jobs.results.rows import read_rows
from jobs.results.segments import Row
from jobs.tables import Job, ModelVersion
from jobs.tenants.keys import NewKey
from models.media.pictures import Picture
from models.records.errors import ImageDecodeFailed
from models.records.record import ModelRecord
from models.tasks.task import Sample
from tests.integration.jobs.builders import submit_items
from tests.integration.jobs.checks import read_job
from workers.engine.shard import ShardRun
from workers.engine.stages import Stages
from workers.walls.pictures import Asked, Decoded, Packed


class PlainBytes:
    """Stands for decoder processes: an item's bytes are its pixels, in a row."""

    def decode(
        self, items: Sequence[Packed], asked: Asked, beat: Callable[[], None] = lambda: None
    ) -> Iterator[Decoded]:
        for number, item in enumerate(items):
            data = extract(item.content, item.encoding, 10**9, item.size)
            pixels = np.frombuffer(data, np.uint8).reshape(1, -1, 1)
            beat()
            digest = hashlib.sha256(data).hexdigest()
            yield Decoded(number, digest, Picture(pixels, pixels.shape[1], 1))


PLAIN_BYTES = PlainBytes()


class FakeNetwork:
    """Stands for an ImageNetwork: an item's bytes are a number, and so is its result."""

    size_bytes = 100
    own_cores: int | None = None

    def __init__(
        self,
        max_batch: int = 64,
        *,
        name: str = "fake",
        on_prepare: Callable[[bytes], object] = lambda _: None,
        on_forward: Callable[[list[int]], object] = lambda _: None,
    ) -> None:
        self.record = ModelRecord(
            name, "classification", "digits", ("0", "1"), {}, max_batch=max_batch
        )
        self.batches: list[int] = []
        self._on_prepare, self._on_forward = on_prepare, on_forward

    channels = 1

    def least(self, params: Any) -> None:
        return None

    def texts(self, params: Any) -> tuple[str, ...]:
        return ()

    def sample(self, picture: Picture) -> Sample:
        return Sample(self.prepare(picture.pixels.tobytes()), 1, 1)

    def prepare(self, data: bytes) -> torch.Tensor:
        self._on_prepare(data)
        if not data.isdigit():
            raise ImageDecodeFailed("not a number")
        return torch.tensor([int(data)])

    def forward(self, samples: Sequence[Sample]) -> torch.Tensor:
        self.batches.append(len(samples))
        self._on_forward([int(sample.pixels) for sample in samples])
        return torch.stack([sample.pixels for sample in samples])

    def postprocess(
        self, outputs: torch.Tensor, params: Mapping[str, Any]
    ) -> list[list[dict[str, Any]]]:
        return [[{"class": str(int(output)), "class_id": int(output)}] for output in outputs]


def submit_numbers(
    ground: Ground, tenant: NewKey, model: ModelVersion, count: int, **more: Any
) -> Job:
    """Submit a job whose items are the numbers 0 to `count` - 1."""
    numbers = [str(number).encode() for number in range(count)]
    return submit_contents(ground, tenant, model, numbers, **more)


def submit_contents(
    ground: Ground, tenant: NewKey, model: ModelVersion, contents: Sequence[bytes], **more: Any
) -> Job:
    requests = tuple(Request(f"n{index}", data=data) for index, data in enumerate(contents))
    return submit_items(ground, tenant, model, requests=requests, **more)


def rows_of_job(ground: Ground, job: Job) -> list[Row]:
    """Read a job's results by index."""
    rows = [row for _, row in read_rows(ground, read_job(ground, job.id))]
    return sorted(rows, key=lambda row: row.index)


def answers_of(ground: Ground, job: Job) -> list[str | None]:
    """Give each item's class, or the code of its error."""
    return [
        row.predictions[0]["class"] if row.predictions else row.error and row.error.code
        for row in rows_of_job(ground, job)
    ]


def picture(seed: int) -> bytes:
    """Encode a grey picture of 28 x 28 pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (28, 28), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def run_with(stages: Stages, lease: ShardLease, network: FakeNetwork) -> bool:
    return ShardRun(stages, lease).run(network, manifest_of(stages.ground, lease))


def manifest_of(ground: Ground, lease: ShardLease) -> Manifest:
    return Manifest(ground.storage, lease.manifest)


def numbers(count: int) -> list[str]:
    return [str(number) for number in range(count)]
