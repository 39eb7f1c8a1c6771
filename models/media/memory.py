"""Memory that shows whether it was written: a decoder's "ok" is a claim, and this holds it to it.

A decoder that answers "ok" over memory that it did not fill gives away what lay there before, which
may be another tenant's picture. So what a decoder writes into is filled with a pattern first, of
sixteen random bytes that each process chooses anew, and looked through afterwards: where the
pattern still stands, nobody has written. A picture holds it by chance once in 2**64 blocks.
"""

import os

import numpy as np
from numpy.typing import NDArray

from models.records.errors import DecoderFault

Pixels = NDArray[np.uint8]

Pattern = np.uint64

_BLOCK = 8


def new_pattern() -> Pattern:
    """Choose eight random bytes."""
    return np.uint64(int.from_bytes(os.urandom(_BLOCK), "little"))


_PATTERN = new_pattern()
# Blocks that are looked at in a large picture: every one in a picture of a megabyte.
_MOST_LOOKED_AT = 131_072


def unwritten(shape: tuple[int, ...]) -> Pixels:
    """Give uint8 memory of this shape, filled with the pattern; raises MemoryError."""
    return fill(np.empty(shape, np.uint8))


def fill(pixels: Pixels, pattern: Pattern = _PATTERN) -> Pixels:
    """Fill contiguous memory with the pattern; gives it back."""
    _blocks(pixels)[:] = pattern
    return pixels


def check_written(pixels: Pixels, decoder: str, pattern: Pattern = _PATTERN) -> None:
    """Look through memory that `decoder` says it has filled; raises DecoderFault if it has not."""
    blocks = _blocks(pixels)
    looked_at = blocks[:: max(1, len(blocks) // _MOST_LOOKED_AT)]
    if bool((looked_at == pattern).any()):
        raise not_written(decoder)


def not_written(decoder: str) -> DecoderFault:
    """Word the refusal of a picture in whose memory the pattern still stands."""
    return DecoderFault(
        f"The decoder ({decoder}) said that it had read this item, but had not written all of "
        "its pixels. Save it again as JPEG, PNG or MP4."
    )


def _blocks(pixels: Pixels) -> NDArray[np.uint64]:
    """View contiguous memory as uint64 (blocks,); a rest of under eight bytes is left out."""
    flat = pixels.reshape(-1)
    if flat.size and not np.shares_memory(flat, pixels):
        raise ValueError("the memory must be contiguous")
    whole = flat.size // _BLOCK * _BLOCK
    return flat[:whole].view(np.uint64)
