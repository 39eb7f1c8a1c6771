"""Ray Data: a pipeline of decoding tasks and one actor with the network.

Ray starts its actors anew for each run, so a turn's clock starts when the results of as many
pictures as warm the others up have come.
"""

import os
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import ray
import torch

from benchmarks.contestants.http_caller import BATCH
from benchmarks.contestants.turns import WARM_UP, given_work, take_turns
from benchmarks.works import Work
from models.registry import Network
from models.tasks.task import Sample

Batch = dict[str, Any]
# Pictures of one of Ray's blocks: enough that its own cost for each is small.
_BLOCK = 64


class Decode:
    """Pictures -> pixels, in a process of Ray's."""

    def __init__(self, work: Work) -> None:
        torch.set_num_threads(1)
        self._network: Network = work.load()

    def __call__(self, batch: Batch) -> Batch:
        """Decode one batch."""
        samples = [self._network.prepare(data) for data in batch["data"]]
        pixels = np.stack([sample.pixels.numpy() for sample in samples])
        return {"number": batch["number"], "pixels": pixels}


class Infer:
    """Pixels -> classes, in the one process with the network."""

    def __init__(self, work: Work) -> None:
        torch.set_num_threads(1)
        self._network: Network = work.load()

    def __call__(self, batch: Batch) -> Batch:
        """Infer one batch."""
        pixels = torch.from_numpy(np.array(batch["pixels"]))
        outputs = self._network.forward([Sample(each, *each.shape[1:]) for each in pixels])
        return {"number": batch["number"], "class_id": outputs.argmax(1).numpy()}


def main() -> None:
    """Start Ray and take turns."""
    work = given_work()
    items = work.items()
    cores = os.cpu_count() or 1
    ray.init(num_cpus=cores, include_dashboard=False, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False

    def turn(_options: Mapping[str, Any]) -> tuple[float, list[int]]:
        rows = [{"number": -1, "data": item} for item in items[:WARM_UP]]
        rows += [{"number": number, "data": item} for number, item in enumerate(items)]
        found = (
            ray.data.from_items(rows, override_num_blocks=-(-len(rows) // _BLOCK))
            .map_batches(
                Decode, fn_constructor_args=(work,), concurrency=1, num_cpus=1, batch_size=BATCH
            )
            .map_batches(
                Infer, fn_constructor_args=(work,), concurrency=1, num_cpus=1, batch_size=BATCH
            )
        )
        labels = [-1] * len(items)
        start, before, seen = 0.0, 0, 0
        for batch in found.iter_batches(batch_size=None):
            seen += len(batch["number"])
            for number, class_id in zip(batch["number"], batch["class_id"], strict=True):
                if number >= 0:
                    labels[number] = int(class_id)
            if not start and seen >= WARM_UP:
                start, before = time.perf_counter(), seen
        seconds = time.perf_counter() - start
        return seconds * len(items) / (seen - before), labels

    take_turns(turn)


if __name__ == "__main__":
    main()
