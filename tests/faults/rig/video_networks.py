"""A network for videos with the weights of `digits`, paced, that notes each of its steps.

Loaded into the workers of a test's stack with PIXELMILL_EXTENSIONS, beside
tests.faults.rig.networks.
"""

import os
import time
from pathlib import Path

import torch

from models.networks.digits import Digits
from models.tasks.task import State

PACE_S = 0.004

RECORD = {
    "name": "recalling",
    "architecture": "faults/recalling",
    "task": "video-classification",
    "input_kind": "video",
    "max_batch": 4,
    "shard_items": 2,
    "preprocess": {
        "resize": [28, 28],
        "crop": [28, 28],
        "channels": 1,
        "mean": [0.0],
        "std": [1.0],
        "fps": 5.0,
        "window": 10,
        "windows": [1, 64],
        "carries": True,
    },
}


def steps_file() -> Path:
    """Name the file with a character for every window that was inferred, in any process."""
    return Path(os.environ["PIXELMILL_FAULTS_FOLDER"]) / "steps"


class Recalling(Digits):
    """Answers with a fading memory of what the digits in all frames so far looked like."""

    def forward(
        self, frames: torch.Tensor, state: State | None = None
    ) -> tuple[torch.Tensor, State]:
        time.sleep(PACE_S * frames.shape[1])
        scores = super().forward(frames.flatten(0, 1)).reshape(*frames.shape[:2], -1)
        memory = state[0] if state is not None else torch.zeros_like(scores[:, 0])
        for number in range(scores.shape[1]):
            memory = 0.9 * memory + scores[:, number]
        if frames.amax() > 0:  # no warming up
            with steps_file().open("a") as file:
                file.write("." * len(frames))
        return memory / 10, (memory,)


ARCHITECTURES = {"faults/recalling": Recalling}
