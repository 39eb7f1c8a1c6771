"""What a tutorial writes: PIL, torchvision's transforms, one picture at a time; in two processes.

Each process opens, transforms and infers every second picture, eagerly and on one core, and gives
the classes back through `multiprocessing`.
"""

import io
import time
from collections.abc import Mapping, Sequence
from multiprocessing import get_context
from typing import Any

import torch
from PIL import Image
from torchvision.models import get_model, get_model_weights

from benchmarks.contestants.turns import few, given_work, take_turns
from benchmarks.works import Work
from models.runtime.weights import read

_PROCESSES = 2


class _Loop:
    """The network and what turns a picture into its input."""

    def __init__(self, work: Work) -> None:
        name = work.record.architecture.partition("/")[2]
        self._module = get_model(name, weights=None)
        self._module.load_state_dict(dict(read(work.weights)))
        self._module.eval()
        self._transforms = get_model_weights(name).DEFAULT.transforms()

    @torch.no_grad()
    def classify(self, data: bytes) -> int:
        """Give the class of one picture."""
        image = Image.open(io.BytesIO(data)).convert("RGB")
        return int(self._module(self._transforms(image).unsqueeze(0)).argmax(1))


_loop: _Loop | None = None


def _start(work: Work) -> None:
    global _loop
    torch.set_num_threads(1)
    _loop = _Loop(work)


def _classify(data: bytes) -> int:
    assert _loop is not None
    return _loop.classify(data)


def main() -> None:
    """Take turns."""
    work = given_work()
    items = work.items()
    with get_context("spawn").Pool(_PROCESSES, _start, (work,)) as pool:
        pool.map(_classify, few(items), chunksize=1)

        def turn(_options: Mapping[str, Any]) -> tuple[float, Sequence[int]]:
            start = time.perf_counter()
            labels = pool.map(_classify, items, chunksize=4)
            return time.perf_counter() - start, labels

        take_turns(turn)


if __name__ == "__main__":
    main()
