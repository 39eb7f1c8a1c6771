"""Masks as paths to lay over a picture: looked at on a grid, so that each costs the same."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from models.answers.rle import Bits, from_string

# Characters of a mask's code. More has a mask that is all edge: reading it takes a second.
_LONGEST_CODE = 100_000


class MaskShape(NamedTuple):
    """A mask in steps of a grid; `across` and `down` are pixels of the original in one step."""

    path: str
    across: float
    down: float
    colour: int


def mask_shape(code: Mapping[str, Any], colour: int, grid: int) -> MaskShape | None:
    """Look at a mask in COCO's code at no more than `grid` places across and down.

    None where nothing of it is seen there, or its code is too long to be read for a page.
    """
    height, width = (int(side) for side in code["size"])
    text = str(code["counts"])
    if len(text) > _LONGEST_CODE or height < 1 or width < 1:
        return None
    rows, columns = min(grid, height), min(grid, width)
    path = _path_of(_looked_at(text, (height, width), (rows, columns)))
    return MaskShape(path, width / columns, height / rows, colour) if path else None


def _looked_at(text: str, size: tuple[int, int], grid: tuple[int, int]) -> Bits:
    """Give the mask at the middle of each step of the grid, (rows, columns)."""
    (height, width), (rows, columns) = size, grid
    down = ((np.arange(rows) + 0.5) * height / rows).astype(np.int64)
    across = ((np.arange(columns) + 0.5) * width / columns).astype(np.int64)
    places = across[None, :] * height + down[:, None]
    # The code is read column by column, and zeros come first.
    ends = np.cumsum(from_string(text))
    bits: Bits = np.searchsorted(ends, places, side="right") % 2 == 1
    return bits


def _path_of(bits: Bits) -> str:
    """Draw each run of ones in a row as a rectangle."""
    bordered = np.pad(bits, ((0, 0), (1, 1))).astype(np.int8)
    row, edge = np.nonzero(np.diff(bordered, axis=1))
    runs = zip(row[::2].tolist(), edge[::2].tolist(), edge[1::2].tolist(), strict=True)
    return "".join(f"M{left} {top}h{right - left}v1H{left}z" for top, left, right in runs)
