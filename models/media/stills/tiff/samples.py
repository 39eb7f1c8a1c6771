"""Unpacked bytes of a TIFF's strip to samples of 8 bits, and samples to colours.

Samples of fewer than 8 bits are spread over the whole range; of more, the high byte is taken.

Source: TIFF 6.0, sections 4 to 6, 14 (predictor) and 16 (CMYK).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.media.memory import Pixels
from models.media.stills.jpeg.picture import rgb_of_cmyk
from models.media.stills.still import undecodable
from models.media.stills.tiff.directory import Directory
from models.media.stills.tiff.layout import CMYK, PALETTE, WHITE_IS_ZERO, Layout

Numbers = NDArray[np.unsignedinteger[Any]]

_COLOUR_MAP = 320
_DIFFERENCES = 2  # the predictor: each sample is stored less its left neighbour


def samples_of(unpacked: Pixels, order: str, layout: Layout) -> Pixels:
    """Make uint8 samples (rows, segment's width, samples side by side) of uint8 (bytes,)."""
    rows = len(unpacked) // layout.row_bytes
    numbers = _numbers(unpacked.reshape(rows, layout.row_bytes), order, layout)
    numbers = numbers.reshape(rows, layout.segment_width, layout.samples_in_segment)
    if layout.predictor == _DIFFERENCES:
        native = np.dtype(f"u{layout.bits // 8}")
        numbers = np.add.accumulate(numbers.astype(native), axis=1, dtype=native)
    return _of_8_bits(numbers, layout)


def _numbers(lines: Pixels, order: str, layout: Layout) -> Numbers:
    """Read the samples of whole lines, uint8 (rows, bytes); every row begins on a byte."""
    across = layout.segment_width * layout.samples_in_segment
    if layout.bits in (8, 16, 32):
        return lines.view(f"{order}u{layout.bits // 8}")
    if layout.bits == 1:
        return np.unpackbits(lines, axis=1)[:, :across]
    import imagecodecs

    kind = np.uint8 if layout.bits < 8 else np.uint16
    spread = imagecodecs.packints_decode(lines.tobytes(), kind, layout.bits, runlen=across)
    return np.asarray(spread).reshape(-1, across)


def _of_8_bits(numbers: Numbers, layout: Layout) -> Pixels:
    if layout.bits == 8 or layout.photometric == PALETTE:
        return np.asarray(numbers, np.uint8)
    if layout.bits > 8:
        return np.right_shift(numbers, layout.bits - 8).astype(np.uint8)
    most = 2**layout.bits - 1
    scale = np.array([(255 * each + most // 2) // most for each in range(most + 1)], np.uint8)
    return np.take(scale, numbers)


def colours_of(samples: Pixels, page: Directory, layout: Layout) -> Pixels:
    """Make uint8 (h, w, 1) grey or (h, w, 3) RGB of a page's colour samples (h, w, colours)."""
    if layout.photometric == WHITE_IS_ZERO:
        return np.invert(samples, out=samples)
    if layout.photometric == CMYK:
        return rgb_of_cmyk(samples, is_inverted=False)
    if layout.photometric == PALETTE:
        count = 2**layout.bits
        channels = page.numbers(_COLOUR_MAP, 3 * count)
        if len(channels) < 3 * count:
            raise undecodable("TIFF", "its palette is missing")
        palette = np.array(channels, np.uint16).reshape(3, count)
        # Old writers state 8 bits where 16 are meant.
        high = palette >> 8 if palette.max() > 255 else palette
        return np.ascontiguousarray(high.T.astype(np.uint8))[samples[:, :, 0]]
    return samples
