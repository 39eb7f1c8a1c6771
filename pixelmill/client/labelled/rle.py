"""Masks as COCO's compressed run-length code, which the server and pycocotools read.

A mask is read column by column; the code lists the lengths of its runs, zeros first. From the
fourth on, each length is its difference to the one two before. A number becomes characters of five
bits, least significant first: bit 6 says that more follow, the highest bit of the last is the sign,
and 48 is added to make each printable (`rleToString` in maskApi.c of cocodataset/cocoapi).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from pixelmill.client.labelled.png import Ids

_FIRST, _MORE, _SIGN, _BITS = 48, 0x20, 0x10, 0x1F


def codes_of(ids: Ids) -> Iterator[tuple[int, dict[str, Any]]]:
    """Give each class id of a picture (h, w) with the code of its pixels."""
    height, width = ids.shape
    columns = ids.T.ravel()
    starts = np.concatenate([[0], np.flatnonzero(np.diff(columns)) + 1])
    ends = np.append(starts[1:], len(columns))
    classes = columns[starts]
    for number in np.unique(classes).tolist():
        runs = classes == number
        borders = np.column_stack([starts[runs], ends[runs]]).ravel()
        counts = np.diff(borders, prepend=0).tolist()
        if borders[-1] < len(columns):
            counts.append(len(columns) - int(borders[-1]))
        yield number, {"size": [height, width], "counts": _text(counts)}


def _text(counts: list[int]) -> str:
    steps = [
        count if place < 3 else count - counts[place - 2] for place, count in enumerate(counts)
    ]
    return bytes(code for step in steps for code in _characters(step)).decode("ascii")


def _characters(number: int) -> Iterator[int]:
    while True:
        bits = number & _BITS
        number >>= 5
        done = number == (-1 if bits & _SIGN else 0)
        yield (bits if done else bits | _MORE) + _FIRST
        if done:
            return
