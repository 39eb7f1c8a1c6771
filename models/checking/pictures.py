"""Pictures that callers send and authors forget: tiny, narrow, grey, see-through, blank."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from models.media.opencv import cv2

Pixels = NDArray[np.uint8] | NDArray[np.uint16]


def odd_pictures() -> list[tuple[str, bytes]]:
    """Give what each picture is, and its file (PNG)."""
    return [(what, cv2.imencode(".png", pixels)[1].tobytes()) for what, pixels in _pictures()]


def _pictures() -> Iterator[tuple[str, Pixels]]:
    chance = np.random.default_rng(0)

    def noise(*shape: int) -> NDArray[np.uint8]:
        return chance.integers(0, 256, shape, dtype=np.uint8)

    yield "a photo of 400 x 300 pixels", cv2.resize(noise(9, 12, 3), (400, 300)).view(np.uint8)
    yield "a black picture", np.zeros((300, 400, 3), np.uint8)
    yield "a white picture", np.full((300, 400, 3), 255, np.uint8)
    yield "a picture of 1 x 1 pixels", noise(1, 1, 3)
    yield "a picture of 2 x 3 pixels", noise(3, 2, 3)
    yield "a strip of 640 x 2 pixels", noise(2, 640, 3)
    yield "a strip of 3 x 500 pixels", noise(500, 3, 3)
    yield "a picture of 1500 x 1000 pixels", noise(1000, 1500, 3)
    yield "a grey picture", noise(120, 90)
    yield "a picture with alpha", noise(90, 120, 4)
    yield "a picture of 16 bits", noise(64, 64, 3).astype(np.uint16) * 257
