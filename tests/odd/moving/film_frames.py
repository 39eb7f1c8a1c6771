"""Frames that carry their own number, as blocks that survive any codec.

128 x 96:  7 bits and their parity, white or black blocks of 32 x 32, in two rows of four;
           below them white, black, white, red: so that every turn and mirror shows
"""

import numpy as np

from tests.odd.still.scene import Pixels

WIDTH, HEIGHT, BLOCK = 128, 96, 32
_WHITE, _BLACK, _RED = (220, 220, 220), (30, 30, 30), (210, 30, 30)


def draw_frame(number: int, scale: int = 1) -> Pixels:
    """Draw the frame of a number below 128, uint8 RGB (96 * scale, 128 * scale, 3)."""
    bits = [number >> bit & 1 for bit in range(7)]
    blocks = [_WHITE if bit else _BLACK for bit in [*bits, sum(bits) % 2]]
    blocks += [_WHITE, _BLACK, _WHITE, _RED]
    grid = np.array(blocks, np.uint8).reshape(3, 4, 3)
    return grid.repeat(BLOCK * scale, axis=0).repeat(BLOCK * scale, axis=1)


def read_number(pixels: Pixels) -> int | None:
    """Read the number of an upright frame of any size, RGB (h, w, 3); None where there is none."""
    height, width = pixels.shape[:2]
    if height >= width:
        return None
    means = np.empty((3, 4, 3))
    for row in range(3):
        for column in range(4):
            # The middle half of each block: edges are blurred.
            top, left = height * (4 * row + 1) // 12, width * (4 * column + 1) // 16
            bottom, right = height * (4 * row + 3) // 12, width * (4 * column + 3) // 16
            means[row, column] = pixels[top:bottom, left:right].mean(axis=(0, 1))
    red, _, blue = means[2, 3]
    light = means.mean(axis=2) > 125
    if red - blue < 60 or light[2, :3].tolist() != [True, False, True]:
        return None
    bits = light[:2].reshape(-1).astype(int).tolist()
    if sum(bits[:7]) % 2 != bits[7]:
        return None
    return int(sum(bit << place for place, bit in enumerate(bits[:7])))
