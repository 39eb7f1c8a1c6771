"""Ray Data: a pipeline of decoding tasks and one actor with the network.

Ray starts its actors anew for each run. So a turn first runs the pictures that warm the others up
alone, then these and all others, and the difference is what counts.
"""

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import ray
import torch

from benchmarks.contestants.http_caller import BATCH
from benchmarks.contestants.turns import WARM_UP, given_work, take_turns
from benchmarks.works import Work
from models.runtime.network import Network
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


def _classes(work: Work, items: Sequence[bytes]) -> list[int]:
    """Run the pipeline on pictures; gives their classes, in their order."""
    rows = [{"number": number, "data": item} for number, item in enumerate(items)]
    each = {"fn_constructor_args": (work,), "concurrency": 1, "num_cpus": 1, "batch_size": BATCH}
    found = ray.data.from_items(rows, override_num_blocks=-(-len(rows) // _BLOCK))
    classes = [-1] * len(items)
    for batch in found.map_batches(Decode, **each).map_batches(Infer, **each).iter_batches():
        for number, class_id in zip(batch["number"], batch["class_id"], strict=True):
            classes[number] = int(class_id)
    return classes


def main() -> None:
    """Start Ray and take turns."""
    work = given_work()
    items = work.items()
    cores = os.cpu_count() or 1
    ray.init(num_cpus=cores, include_dashboard=False, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False

    def turn(_options: Mapping[str, Any]) -> tuple[float, list[int]]:
        few = items[:WARM_UP]
        start = time.perf_counter()
        _classes(work, few)
        between = time.perf_counter()
        labels = _classes(work, few + items)[len(few) :]
        return (time.perf_counter() - between) - (between - start), labels

    take_turns(turn)


if __name__ == "__main__":
    main()
