"""A network for videos made by hand: it adds up what it sees, and counts its steps."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from models.media.sampling import Sampling
from models.records.record import Limits, ModelRecord
from models.runtime.network import VideoNetwork
from models.tasks.task import Clip, Step, Stepped, Windows

PARAMS = {"fps": None, "every_nth": 1, "window": 4, "overlap": 0, "top_k": 1}


class FakeVideoNetwork(VideoNetwork):
    """A frame is its brightness; an answer is the sum of a window's, a state that of all before."""

    size_bytes = 100
    own_cores = None

    def __init__(
        self,
        *,
        carries: bool = True,
        max_batch: int = 8,
        limits: Limits | None = None,
        on_forward: Callable[[list[list[int]]], object] = lambda _: None,
    ) -> None:
        self.record = ModelRecord(
            "fake", "video-classification", "fake", ("a", "b"), {}, "video", max_batch,
            limits=limits or Limits(),
        )  # fmt: skip
        self.carries, self._on_forward = carries, on_forward
        self.batches: list[list[list[int]]] = []

    @property
    def steps(self) -> int:
        return sum(len(batch) for batch in self.batches)

    def prepare_frame(self, pixels: np.ndarray) -> torch.Tensor:
        return torch.full((1, 1, 1), round(float(pixels.mean())), dtype=torch.uint8)

    def sampling(self, params: Mapping[str, Any]) -> Sampling:
        return Sampling(params["fps"], params["every_nth"])

    def windows(self, params: Mapping[str, Any]) -> Windows:
        length = params["window"]
        return Windows(length, length - params["overlap"], self.carries)

    def forward(self, inputs: Sequence[Step]) -> list[Stepped]:
        seen = [step.frames.flatten().tolist() for step in inputs]
        self.batches.append(seen)
        self._on_forward(seen)
        return [self._answer(step) for step in inputs]

    def postprocess(
        self, videos: Sequence[Sequence[Clip]], params: Mapping[str, Any]
    ) -> list[list[dict[str, Any]]]:
        return [
            [{"clips": [[clip.start_ms, clip.end_ms, *clip.logits.tolist()] for clip in clips]}]
            for clips in videos
        ]

    def _answer(self, step: Step) -> Stepped:
        total = step.frames.sum().float()
        if not self.carries:
            assert step.state is None
            return Stepped(torch.stack([total, torch.tensor(float(len(step.frames)))]))
        before = step.state[0] if step.state is not None else torch.zeros(())
        return Stepped(torch.stack([total, before]), (before + total,))


def clips_of(
    levels: Sequence[int], length: int, stride: int, *, carries: bool, duration_ms: int = 40
) -> list[list[float]]:
    """Say by another way what the network's clips of a film must be."""
    clips: list[list[float]] = []
    had, before, start = 0, 0.0, 0
    while had < len(levels):
        window = list(levels[start : start + length])
        fresh = list(levels[had : start + length])
        times = [start * duration_ms, (start + len(window)) * duration_ms]
        clips.append(
            [*times, float(sum(fresh)), before]
            if carries
            else [*times, float(sum(window)), float(len(window))]
        )
        before += sum(fresh)
        had, start = start + len(window), start + stride
    return clips
