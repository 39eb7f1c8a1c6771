"""The shipped digits network at a walking pace, and one that fails on every real picture.

Loaded into a stack's workers with PIXELMILL_EXTENSIONS=tests.e2e.models.networks.
"""

import time

import torch

from models.networks.digits import Digits

PACE_S = 0.002
SLOW_S = 0.015


class Paced(Digits):
    """Takes 2 ms an image, so that a job lasts while a test acts."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        time.sleep(PACE_S * len(pictures))
        return super().forward(pictures)


class Slow(Digits):
    """Takes 15 ms an image: a small job outlasts much else."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        time.sleep(SLOW_S * len(pictures))
        return super().forward(pictures)


class Failing(Digits):
    """Runs on a black picture, which is how a version is tried out, and on no other."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        if pictures.any():
            raise RuntimeError("this network is broken")
        return super().forward(pictures)


ARCHITECTURES = {"e2e/paced": Paced, "e2e/slow": Slow, "e2e/failing": Failing}
