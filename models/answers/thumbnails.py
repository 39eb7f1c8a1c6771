"""Small pictures for galleries: of a picture one within a square, of a film a strip of frames."""

from collections.abc import Sequence

import numpy as np

from models.answers.drawing import resized
from models.media.memory import Pixels
from models.media.opencv import cv2

# The longer side: enough for a screen of them, a dozen kilobytes each.
LONGEST_SIDE = 256
# A strip has so many frames of this height, each narrower than twice that.
STRIP_FRAMES = 12
STRIP_HEIGHT = 72
_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 80)


def thumbnail(pixels: Pixels) -> bytes:
    """Make a small JPEG file of a picture, uint8 (h, w, 3) in RGB or (h, w, 1) grey.

    A picture that is small already keeps its size. One that is much longer than wide gets at least
    one pixel across.
    """
    return _jpeg(resized(pixels, min(1.0, LONGEST_SIDE / max(pixels.shape[:2]))))


def film_strip(frames: Sequence[tuple[int, Pixels]], duration_ms: int) -> bytes:
    """Lay frames, uint8 RGB with the time in ms at which each is shown, along a film's length.

    The strip is cut into STRIP_FRAMES equal stretches of time; each shows the last frame that had
    begun in its middle, so that a place in the strip is a place in the film. Raises ValueError when
    there is no frame.
    """
    if not frames:
        raise ValueError("A strip needs at least one frame.")
    height, width = frames[0][1].shape[:2]
    size = (max(1, min(2 * STRIP_HEIGHT, round(STRIP_HEIGHT * width / height))), STRIP_HEIGHT)
    cells = []
    for number in range(STRIP_FRAMES):
        middle_ms = (number + 0.5) * duration_ms / STRIP_FRAMES
        begun = [pixels for at_ms, pixels in frames if at_ms <= middle_ms]
        cell = begun[-1] if begun else frames[0][1]
        cells.append(cv2.resize(cell, size, interpolation=cv2.INTER_AREA))
    return _jpeg(np.hstack(cells))


def _jpeg(pixels: Pixels) -> bytes:
    is_grey = pixels.ndim == 2 or pixels.shape[2] == 1
    canvas = pixels if is_grey else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", canvas, _JPEG)
    return bytes(encoded)
