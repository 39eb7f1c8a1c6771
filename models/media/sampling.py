"""Which frames of a film are looked at."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which frames of a video are looked at: so many a second, or every n-th; the other is None."""

    fps: float | None = None
    every_nth: int | None = None
