"""A video's frames, as they come, put into the windows that its network wants.

frames   0 1 2 3 4 5 6 7 8 …     length 4, stride 3
windows  0 1 2 3
3 4 5 6           kept: 1, the frame that the window before had too
6 7 8 …
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from models.media.films import Position
from models.tasks.task import Clip, State, Step, Stepped, Windows


@dataclass(frozen=True, slots=True)
class Prepared:
    """A sampled frame as the network takes it: uint8 (channels, h, w); times as in `Frame`."""

    position: Position
    end_ms: float
    pixels: torch.Tensor


@dataclass(frozen=True, slots=True)
class Window:
    """Frames in a row, of which the window before has had the first `kept`."""

    frames: Sequence[Prepared]
    kept: int

    def step(self, shape: Windows, state: State | None) -> Step:
        """Make the network's next step: what it has not had, or all when it remembers nothing."""
        fresh = self.frames[self.kept :] if shape.carries else self.frames
        return Step(torch.stack([frame.pixels for frame in fresh]), state)

    def clip(self, stepped: Stepped) -> Clip:
        """Put the network's answer to the window's time."""
        first, last = self.frames[0], self.frames[-1]
        return Clip(round(first.position.at_ms), round(last.end_ms), stepped.logits)


class Pause:
    """Stands where there is no frame or window yet, and others may decode before it goes on."""


def cut(
    frames: Iterator[Prepared | Pause], shape: Windows, kept: int = 0
) -> Iterator[Window | Pause]:
    """Cut frames into windows; `kept` of the first ones an earlier window has had already.

    The last window may be short. It has at least one frame that none before it had. Pauses are
    handed on.
    """
    held: list[Prepared] = []
    for frame in frames:
        if isinstance(frame, Pause):
            yield frame
            continue
        held.append(frame)
        if len(held) == shape.length:
            yield Window(held, kept)
            held = held[shape.stride :]
            kept = len(held)
    if len(held) > kept:
        yield Window(held, kept)
