"""Networks that misbehave at a marked item: one whose mean pixel is exactly what the mark says.

Loaded into the workers of a test's stack with PIXELMILL_EXTENSIONS=tests.faults.networks.
"""

import os
import signal
import threading

import torch
from torch import nn

# A picture all of whose pixels have this value is the marked one.
MARK = 200 / 255


def _marked(batch: torch.Tensor) -> torch.Tensor:
    flat = batch.flatten(1)
    return (flat.amax(1) - MARK).abs().lt(1e-4) & (flat.amin(1) - MARK).abs().lt(1e-4)


class Answering(nn.Module):
    """Says "odd" or "even" by the brightness of the first pixel, so that answers can be checked."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.classes = classes

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        first = (batch[:, 0, 0, 0] * 255).round().long() % self.classes
        return torch.nn.functional.one_hot(first, self.classes) * 10.0


class Crashing(Answering):
    """Dies of a segmentation fault when it meets the marked item."""

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        if _marked(batch).any():
            os.kill(os.getpid(), signal.SIGSEGV)
            threading.Event().wait()
        return super().forward(batch)


class Hungry(Answering):
    """Runs out of memory on more than four items at once."""

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        if len(batch) > 4:
            raise torch.OutOfMemoryError("more than four at once")
        return super().forward(batch)


class Hanging(Answering):
    """Never comes back from the marked item."""

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        if _marked(batch).any():
            threading.Event().wait()
        return super().forward(batch)


ARCHITECTURES = {"faults/crashing": Crashing, "faults/hungry": Hungry, "faults/hanging": Hanging}
