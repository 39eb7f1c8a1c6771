"""What a film gives: its facts, and frames with their places."""

from dataclasses import dataclass
from typing import NamedTuple

from models.media.memory import Pixels


class Position(NamedTuple):
    """A decoded frame: its number, counted from 0, and its time in milliseconds."""

    number: int
    at_ms: float


@dataclass(frozen=True, slots=True)
class Frame:
    """A sampled frame, upright: uint8 RGB (h, w, 3).

    end_ms: when the next sampled frame is shown or, for the last one, the video's end.
    """

    position: Position
    end_ms: float
    pixels: Pixels


@dataclass(frozen=True, slots=True)
class Facts:
    """What a film is: the width and height of its upright picture in pixels, its frames a second.

    The container states `fps` and, until all frames have been given, `duration_ms`; either is None
    where it does not. Afterwards the duration is the end of the last frame.
    """

    width: int
    height: int
    fps: float | None
    duration_ms: int | None
