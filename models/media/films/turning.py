"""What a display matrix does to a picture: quarter turns and mirrors.

Source: ISO/IEC 14496-12, 6.2.2 (matrices of tracks); FFmpeg hands on nine numbers of 32 bits, of
whatever container. A stored point (p, q) is shown at (a p + c q, b p + d q).
"""

import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_MATRIX_BYTES = 36


class Turn(NamedTuple):
    """Rows and columns change places first; then rows, then columns are read backwards."""

    is_transposed: bool = False
    is_flipped: bool = False
    is_mirrored: bool = False

    def apply(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Give an upright view of stored pixels (h, w, channels)."""
        if self.is_transposed:
            pixels = pixels.transpose(1, 0, 2)
        return pixels[:: -1 if self.is_flipped else 1, :: -1 if self.is_mirrored else 1]

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Give the width and height of the upright picture."""
        return (height, width) if self.is_transposed else (width, height)


def read_turn(matrix: bytes) -> Turn:
    """Read a display matrix; of an angle between, the nearest quarter turn counts."""
    if len(matrix) < _MATRIX_BYTES:
        return Turn()
    a, b, _, c, d = struct.unpack_from("=5i", matrix)
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Turn(True, is_flipped=b < 0, is_mirrored=c < 0)
    return Turn(False, is_flipped=d < 0, is_mirrored=a < 0)
