"""A picture that is not symmetrical, not smooth and not square, in every form that tests need."""

import io

import numpy as np
from PIL import Image

from models.media import pictures
from models.records.record import Limits

LIMITS = Limits()
_DOWN, _RIGHT = np.mgrid[0:121, 0:203]
SCENE = np.stack([_DOWN * 2, _RIGHT, (_DOWN // 16 * 40 + _RIGHT // 16 * 15) % 256], axis=-1).astype(
    np.uint8
)
GREY = np.asarray(Image.fromarray(SCENE).convert("L"))


def written(kind: str, mode: str = "RGB", **options) -> bytes:
    """Encode the scene with Pillow."""
    file = io.BytesIO()
    Image.fromarray(SCENE).convert(mode).save(file, kind, **options)
    return file.getvalue()


def by_pillow(data: bytes, mode: str = "RGB") -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert(mode))


def pixels_of(data: bytes, channels: int = 3, least: int | None = None) -> np.ndarray:
    return pictures.decode(data, channels, LIMITS, least).pixels


def steps_off(data: bytes, right: np.ndarray) -> int:
    """Give the largest difference from the right pixels, which may be grey."""
    if right.ndim == 2:
        right = np.repeat(right[:, :, np.newaxis], 3, axis=2)
    pixels = pixels_of(data)
    assert pixels.shape == right.shape
    return int(np.abs(pixels.astype(int) - right).max())
