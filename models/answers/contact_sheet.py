"""A video's result drawn as one picture: some of its frames, in order, each with class and time.

How long a video is, is known only at its end. So every k-th frame is kept, from k = 1; when the
sheet is full every second one is let go, and k doubles:

    0 1 2 3 … 15  ──the 16th comes──►  0 2 4 … 14 16 18 …  ──the 32nd──►  0 4 8 …

What is kept lies evenly spread at any moment, and follows from the frames alone.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from models.answers.drawing import FRAME_SIDE, draw_frame, jpeg_of, resized
from models.answers.thumbnails import film_strip
from models.media.films import Frame
from models.media.memory import Pixels

# At most 5 MB in memory, and after the first doubling never fewer than half as many.
MOST_FRAMES = 16
_GAP = 4
_GROUND = 24


class ContactSheet:
    """Frames of one video, at most MOST_FRAMES of FRAME_SIDE pixels on their longer side."""

    def __init__(self) -> None:
        self._kept: list[tuple[int, Pixels]] = []
        self._seen, self._every = 0, 1

    @property
    def times(self) -> list[int]:
        """When the frames that are kept are shown, in milliseconds."""
        return [at_ms for at_ms, _ in self._kept]

    def add(self, frame: Frame) -> None:
        """See the next frame, which is kept, scaled down, if it is its turn."""
        if self._seen % self._every == 0:
            if len(self._kept) == MOST_FRAMES:
                del self._kept[1::2]
                self._every *= 2
            scale = min(1.0, FRAME_SIDE / max(frame.pixels.shape[:2]))
            self._kept.append((round(frame.position.at_ms), resized(frame.pixels, scale)))
        self._seen += 1

    def strip_jpeg(self, duration_ms: int) -> bytes:
        """Lay the frames along the length of the video; returns a JPEG file.

        Raises ValueError when no frame was added.
        """
        return film_strip(self._kept, duration_ms)

    def draw_jpeg(self, prediction: Mapping[str, Any]) -> bytes:
        """Draw the frames, row by row, with the video's prediction; returns a JPEG file.

        Raises ValueError when no frame was added.
        """
        cells = [draw_frame(pixels, prediction, at_ms) for at_ms, pixels in self._kept]
        height = _GAP + max(cell.shape[0] for cell in cells)
        width = _GAP + max(cell.shape[1] for cell in cells)
        columns = math.ceil(math.sqrt(len(cells)))
        rows = math.ceil(len(cells) / columns)
        sheet = np.full((_GAP + rows * height, _GAP + columns * width, 3), _GROUND, np.uint8)
        for number, cell in enumerate(cells):
            row, column = divmod(number, columns)
            top, left = _GAP + row * height, _GAP + column * width
            sheet[top : top + cell.shape[0], left : left + cell.shape[1]] = cell
        return jpeg_of(sheet)
