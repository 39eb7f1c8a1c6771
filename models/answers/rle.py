"""Masks as COCO's compressed run-length code: what pycocotools' `mask.decode` reads.

A mask is read column by column; the code lists the lengths of its runs, zeros first (0 when the
mask begins with a one). From the fourth on, each length is stored as its difference to the one two
before, which is small where neighbouring columns look alike. A number becomes characters of five
bits, least significant first: bit 6 says that more follow, and the highest bit of the last is the
sign; 48 is added to make each printable.

Source: `rleEncode`, `rleToString` and `rleFrString` in maskApi.c of https://github.com/cocodataset/
cocoapi.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.bool_]
Counts = NDArray[np.int64]

_FIRST = 48  # the character "0"
_MORE, _SIGN, _BITS = 0x20, 0x10, 0x1F


def encode(
    mask: Bits, size: tuple[int, int] | None = None, corner: tuple[int, int] = (0, 0)
) -> dict[str, Any]:
    """Encode a mask (h, w) as `{"size": [height, width], "counts": "..."}`.

    It may be a part whose top left pixel lies at `corner` (row, column) of a larger mask of `size`
    (height, width), which is zero around it; then only the part is looked at.
    """
    height, width = size or (mask.shape[0], mask.shape[1])
    return {
        "size": [int(height), int(width)],
        "counts": to_string(_runs(mask, (height, width), corner)),
    }


def decode(code: Mapping[str, Any]) -> Bits:
    """Decode to a mask (height, width); raises ValueError when the runs do not fill it."""
    height, width = code["size"]
    counts = from_string(code["counts"])
    if counts.sum() != height * width or (counts < 0).any():
        raise ValueError(f"The runs of the mask do not fill {height} x {width} pixels.")
    bits = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return np.ascontiguousarray(bits.reshape(width, height).T)


def extent(code: Mapping[str, Any]) -> tuple[int, int, int, int]:
    """Give the smallest rectangle around a mask: left, top, width, height; all 0 of an empty one.

    The mask is not decoded; `toBbox` of pycocotools gives the same.
    """
    height = int(code["size"][0])
    ends = np.cumsum(from_string(code["counts"]))
    begins, ends = ends[0:-1:2], ends[1::2]
    filled = ends > begins
    begins, ends = begins[filled], ends[filled] - 1
    if not len(begins):
        return 0, 0, 0, 0
    left, right = int(begins[0] // height), int(ends[-1] // height)
    # A run that goes on in the next column reaches from its foot to the next one's head.
    if (begins // height != ends // height).any():
        top, bottom = 0, height - 1
    else:
        top, bottom = int((begins % height).min()), int((ends % height).max())
    return left, top, right - left + 1, bottom - top + 1


def to_string(counts: Counts) -> str:
    """Write lengths of runs as characters."""
    steps = counts.copy()
    steps[3:] -= counts[1:-2]
    return bytes(code for step in steps.tolist() for code in _characters(step)).decode("ascii")


def from_string(text: str) -> Counts:
    """Read what `to_string` wrote; raises ValueError when it ends within a number."""
    codes = np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int64) - _FIRST
    lasts = np.flatnonzero((codes & _MORE) == 0)
    if len(codes) and (not len(lasts) or lasts[-1] != len(codes) - 1):
        raise ValueError("The code of the mask ends within a number.")
    if not len(codes):
        return codes
    firsts = np.append(0, lasts[:-1] + 1)
    lengths = lasts - firsts + 1
    places = np.arange(len(codes)) - np.repeat(firsts, lengths)
    counts: Counts = np.add.reduceat((codes & _BITS) << (5 * places), firsts)
    counts -= np.where(codes[lasts] & _SIGN, 1 << (5 * lengths), 0)
    # Each is a difference to the one two before, from the fourth on.
    counts[1::2], counts[2::2] = np.cumsum(counts[1::2]), np.cumsum(counts[2::2])
    return counts


def _runs(mask: Bits, size: tuple[int, int], corner: tuple[int, int]) -> Counts:
    """Return the lengths of runs of the whole mask, zeros first."""
    (height, width), (top, left) = size, corner
    rows, columns = mask.shape
    # A zero above and below each column: ones then begin and end within their own column.
    bordered = np.zeros((columns, rows + 2), np.int8)
    bordered[:, 1:-1] = mask.T
    change = np.diff(bordered, axis=1)
    edges = []
    for kind in (1, -1):
        column, row = np.nonzero(change == kind)
        edges.append((column.astype(np.int64) + left) * height + row + top)
    begins, ends = edges
    # Where a run reaches the foot of a column and the next begins at the head, they are one.
    apart = begins[1:] != ends[:-1]
    begins, ends = (
        begins[np.append(True, apart)[: len(begins)]],
        ends[np.append(apart, True)[: len(ends)]],
    )
    borders = np.column_stack([begins, ends]).ravel()
    counts = np.diff(borders, prepend=0)
    rest = height * width - (borders[-1] if len(borders) else 0)
    return np.append(counts, rest) if rest or not len(counts) else counts


def _characters(number: int) -> Iterator[int]:
    while True:
        bits = number & _BITS
        number >>= 5
        done = number == (-1 if bits & _SIGN else 0)
        yield (bits if done else bits | _MORE) + _FIRST
        if done:
            return
