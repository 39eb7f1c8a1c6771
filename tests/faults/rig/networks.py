"""The shipped digits network, paced, and variants that misbehave at a marked picture.

Loaded into the workers of a test's stack with PIXELMILL_EXTENSIONS=tests.faults.rig.networks. Since
all of them have the weights of `digits`, a quiet run of that network says what each answer must be.
"""

import os
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import torch

from models.networks.digits import Digits

# A picture all of whose pixels have this value is the marked one.
MARKED = 200

PACE_S = 0.005
SLOW_S = 0.02


def hurry_file(environ: Mapping[str, str]) -> Path:
    """Name the file that tells slow networks to be slow no more."""
    return Path(environ["PIXELMILL_FAULTS_FOLDER"]) / "hurry"


def has_mark(batch: torch.Tensor) -> bool:
    flat = batch.flatten(1)
    mark = MARKED / 255
    same = (flat.amax(1) - mark).abs().lt(1e-4) & (flat.amin(1) - mark).abs().lt(1e-4)
    return bool(same.any())


class Paced(Digits):
    """Takes 5 ms an image, so that a job lasts for as long as a fault needs."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        time.sleep(PACE_S * len(pictures))
        return super().forward(pictures)


class Slow(Digits):
    """Takes 20 ms an image for as long as a fault needs, until the test's house hurries."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        if not hurry_file(os.environ).exists():
            time.sleep(SLOW_S * len(pictures))
        return super().forward(pictures)


class Crashing(Digits):
    """Dies of a segmentation fault when it meets the marked picture."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        if has_mark(pictures):
            os.kill(os.getpid(), signal.SIGSEGV)
            threading.Event().wait()
        return super().forward(pictures)


class Hungry(Digits):
    """Runs out of memory on more than four pictures at once."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        if len(pictures) > 4:
            raise torch.OutOfMemoryError("more than four at once")
        return super().forward(pictures)


class Hanging(Digits):
    """Never comes back from the marked picture."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        if has_mark(pictures):
            threading.Event().wait()
        return super().forward(pictures)


ARCHITECTURES = {
    "faults/paced": Paced,
    "faults/slow": Slow,
    "faults/crashing": Crashing,
    "faults/hungry": Hungry,
    "faults/hanging": Hanging,
}
