"""Masks as Label Studio's brushes have them: thi.ng's run-length code of four channels.

The picture is read row by row, four equal bytes a pixel (0 or 255). The code is one stream of bits:
the number of bytes (32), their bits less one (5), four sizes less one (4 each); then for each run a
one, which size follows (2), its length less one in that size, and its byte (8). A COCO mask goes
column by column and has to be decoded first.

Source: `encode_rle` in label_studio_sdk/converter/brush.py, and rle-pack of
https://github.com/thi-ng/umbrella
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from models.answers import rle

_CHANNELS = 4
_SIZES = (3, 4, 8, 16)
_LONGEST = 1 << _SIZES[-1]


def brush_of(mask: Mapping[str, Any]) -> list[int]:
    """Give a COCO mask as the bytes of a brush, which Label Studio has as a list of numbers."""
    pixels = rle.decode(mask).ravel()
    header = f"{pixels.size * _CHANNELS:032b}{8 - 1:05b}" + "".join(f"{n - 1:04b}" for n in _SIZES)
    edges = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    borders = np.concatenate([[0], edges, [pixels.size]])
    lengths = (np.diff(borders) * _CHANNELS).tolist()
    first = bool(pixels[0])
    bits = [header]
    for number, length in enumerate(lengths):
        value = "1" * 8 if first == (number % 2 == 0) else "0" * 8
        bits += (f"1{run}{value}" for run in _runs(length))
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8, "big"))


def _runs(length: int) -> Iterator[str]:
    """Give the sizes and lengths of the runs that a run is written as."""
    while length > _LONGEST:
        yield f"11{_LONGEST - 1:016b}"
        length -= _LONGEST
    number = next(number for number, size in enumerate(_SIZES) if length <= 1 << size)
    yield f"{number:02b}{length - 1:0{_SIZES[number]}b}"
