"""A video's clips so far, in two rows of numbers that grow.

One small tensor for each clip would do, but for this: it stays in the heap between the network's
large buffers, which then cannot be given back. That cost 200 kB a window, hours into a video.
"""

from array import array
from typing import Self

import numpy as np
import torch

from models.tasks.task import Clip


class Clips:
    """Times and logits of windows, in order of time."""

    def __init__(self) -> None:
        self._times = array("q")
        self._logits = array("f")

    @classmethod
    def of(cls, times: torch.Tensor, logits: torch.Tensor) -> Self:
        """Take over what `times` and `logits` gave."""
        clips = cls()
        clips._times.frombytes(times.numpy().tobytes())
        clips._logits.frombytes(logits.numpy().tobytes())
        return clips

    def add(self, clip: Clip) -> None:
        """Append a clip; its logits are copied."""
        self._times.extend((clip.start_ms, clip.end_ms))
        self._logits.frombytes(clip.logits.numpy().tobytes())

    def __len__(self) -> int:
        return len(self._times) // 2

    def times(self) -> torch.Tensor:
        """Give int64 (clips, 2): start and end of each, in milliseconds."""
        return torch.from_numpy(np.array(self._times, np.int64)).reshape(len(self), 2)

    def logits(self) -> torch.Tensor:
        """Give float32 (clips, labels); there is at least one clip."""
        return torch.from_numpy(np.array(self._logits, np.float32)).reshape(len(self), -1)

    def listed(self) -> list[Clip]:
        """Give each as what the network's task takes."""
        rows = zip(self.times().tolist(), self.logits(), strict=True)
        return [Clip(start, end, logits) for (start, end), logits in rows]
