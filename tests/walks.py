"""Films of a bright block that walks to one side, for networks that learn which."""

import numpy as np

from tests.videos import jpeg, movie

# Eight frames a second, as the record says.
FRAME_MS = 125


def walk(right: bool, seed: int, frames: int = 10) -> bytes:
    """A film of a bright block that walks to the right or to the left."""
    random = np.random.default_rng(seed)
    row, start, speed = random.integers(2, 20), random.integers(0, 6), random.uniform(1.2, 1.8)
    pictures = []
    for number in range(frames):
        place = int(start + speed * number)
        picture = np.zeros((28, 28, 3), np.uint8)
        picture[row : row + 6, place : place + 6] = 255
        pictures.append(jpeg(picture if right else picture[:, ::-1]))
    return movie(pictures, FRAME_MS, width=28, height=28)
