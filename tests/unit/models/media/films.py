"""Opening films in tests: what came out of them, frame by frame."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.media.films import Facts, Frame, open_video
from models.media.sampling import Sampling
from models.records.record import Limits

ALL = Sampling(every_nth=1)
LIMITS = Limits(max_pixels=1_000_000)


@dataclass(frozen=True)
class Seen:
    frames: list[Frame]
    damage: str | None
    facts: Facts

    @property
    def times(self) -> list[float]:
        return [frame.position.at_ms for frame in self.frames]

    @property
    def end_ms(self) -> float:
        return self.frames[-1].end_ms

    @property
    def pixels(self) -> np.ndarray:
        return np.stack([frame.pixels for frame in self.frames])


def seen(path: Path, sampling: Sampling = ALL, limits: Limits = LIMITS) -> Seen:
    with path.open("rb") as file, open_video(file, os.path.getsize(path), limits) as video:
        frames = list(video.frames(sampling))
        return Seen(frames, video.damage, video.facts)


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """The mean difference of two stacks of pixels, in steps of 256."""
    return float(np.abs(one.astype(int) - other).mean())
