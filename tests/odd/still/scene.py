"""The picture that most odd pictures show, and what is known of an odd picture.

The scene is made of numbers alone. Its digits, its ring and its unequal corners lie so that every
turn, mirror, shift and exchange of colours shows.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

WIDTH, HEIGHT = 288, 192

# Rows of five bits a digit, as on a dot-matrix display.
_GLYPHS = {
    "2": (14, 17, 1, 6, 8, 16, 31),
    "5": (31, 16, 30, 1, 1, 17, 14),
    "7": (31, 1, 2, 4, 8, 8, 8),
}


@dataclass(frozen=True)
class OddPicture:
    """An encoded picture and what decoding it must give.

    pixels: the upright RGB pictures (h, w, 3) of which one must come; none for an error.
    steps: the most that one value may differ from it, of 255. error: the code that must come.
    says: what the message of the error must contain, in lower case. may_refuse: an error of
    `unsupported_media` or `image_decode_failed` is right as well. mask: where to compare, bool
    (h, w); everywhere if None.
    """

    name: str
    data: bytes
    pixels: tuple[Pixels, ...] = ()
    steps: int = 0
    error: str | None = None
    says: str = ""
    may_refuse: bool = False
    mask: NDArray[np.bool_] | None = None


def make_scene() -> Pixels:
    """Draw the scene, uint8 RGB (192, 288, 3)."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    scene = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    scene[..., 0] = 40 + columns * 100 // WIDTH
    scene[..., 1] = 60 + rows * 120 // HEIGHT
    scene[..., 2] = 160 - (rows + columns) * 80 // (WIDTH + HEIGHT)
    distance = np.hypot(rows - 130, columns - 200)
    scene[(distance > 28) & (distance < 40)] = (230, 40, 60)
    scene[:16, :24] = (250, 250, 250)
    scene[:12, -48:] = (20, 200, 40)
    scene[-40:, :10] = (10, 10, 10)
    for left, digit in ((40, "2"), (110, "5"), (210, "7")):
        _draw(scene, digit, top=30, left=left, color=(245, 235, 80))
    return scene


def _draw(
    scene: Pixels, digit: str, *, top: int, left: int, color: tuple[int, int, int], dot: int = 8
) -> None:
    for row, bits in enumerate(_GLYPHS[digit]):
        for column in range(5):
            if bits >> (4 - column) & 1:
                y, x = top + row * dot, left + column * dot
                scene[y : y + dot, x : x + dot] = color


SCENE = make_scene()


def grey(pixels: Pixels) -> Pixels:
    """Give the luma (BT.601) of RGB (h, w, 3) as uint8 (h, w), rounded as Pillow does."""
    red, green, blue = (pixels[..., channel].astype(np.uint32) for channel in range(3))
    return ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).astype(np.uint8)


def rgb(flat: NDArray[np.generic]) -> Pixels:
    """Give a grey picture (h, w) three equal channels."""
    return np.repeat(flat.astype(np.uint8)[..., None], 3, axis=2)


def stored(upright: Pixels, orientation: int) -> Pixels:
    """Turn an upright picture into what a camera stores under an EXIF orientation (1 to 8).

    Source: CIPA DC-008 (Exif 2.32), tag 274: where row 0 and column 0 of what is stored lie.
    """
    across = upright.swapaxes(0, 1)
    turned = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: across,
        6: across[::-1],
        7: across[::-1, ::-1],
        8: across[:, ::-1],
    }
    return np.ascontiguousarray(turned[orientation])
