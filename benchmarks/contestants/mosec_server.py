"""The server of `mosec_images`; it runs in Mosec's own environment (`make peers`)."""

import os
from pathlib import Path

import torch
from mosec import Server, Worker

from benchmarks.contestants.http_caller import BATCH, WORK
from benchmarks.works import Work
from models.tasks.task import Sample

_LONGEST_WAIT_MS = 10


class Decode(Worker):
    """Picture -> sample, one after the other."""

    def __init__(self) -> None:
        torch.set_num_threads(1)
        self._network = Work(Path(os.environ[WORK])).load()

    def deserialize(self, data: bytes) -> bytes:
        """Take the body as it is."""
        return data

    def forward(self, data: bytes) -> Sample:
        """Decode one picture."""
        return self._network.prepare(data)


class Infer(Worker):
    """Samples -> classes, in batches."""

    def __init__(self) -> None:
        self._network = Work(Path(os.environ[WORK])).load()

    def forward(self, data: list[Sample]) -> list[int]:
        """Infer a batch."""
        outputs = self._network.forward(data)
        return outputs.argmax(1).tolist()

    def serialize(self, data: int) -> bytes:
        """Answer with the class alone."""
        return str(data).encode()


if __name__ == "__main__":
    server = Server()
    server.append_worker(Decode, num=os.cpu_count() or 1)
    server.append_worker(Infer, num=1, max_batch_size=BATCH, max_wait_time=_LONGEST_WAIT_MS)
    server.run()
