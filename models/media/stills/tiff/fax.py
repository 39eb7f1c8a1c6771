"""Fax packing in TIFF: ITU-T T.4 (Group 3, and run lengths alone) and T.6 (Group 4).

The decoder fills up with white whatever it cannot read, and says nothing. What it gave is packed
again, which gives the same bits only if they were read as they stand.
"""

import io

import numpy as np

from models.media.memory import Pixels
from models.media.stills.still import undecodable
from models.media.stills.tiff.directory import directories
from models.media.stills.tiff.layout import Layout

_STRIP_OFFSETS, _STRIP_BYTES, _T4_OPTIONS, _ROWS_PER_STRIP = 273, 279, 292, 278
# The mark of the end, and bits that fill up a byte: 24 bits in Group 4, none or zeros elsewhere.
_END_BYTES = 4


def unpack_run_lengths(packed: bytes, expected: int, layout: Layout) -> bytes:
    """Unpack runs of modified Huffman codes, each row on a byte of its own."""
    import imagecodecs

    height = expected // layout.row_bytes
    rows = imagecodecs.ccittrle_decode(packed, height, layout.segment_width)
    return _checked(packed, rows, "tiff_ccitt", layout)


def unpack_group_3(packed: bytes, expected: int, layout: Layout) -> bytes:
    """Unpack rows of one or two dimensions, with marks between them."""
    import imagecodecs

    height = expected // layout.row_bytes
    rows = imagecodecs.ccittfax3_decode(
        packed, height, layout.segment_width, t4options=layout.t4_options
    )
    return _checked(packed, rows, "group3", layout)


def unpack_group_4(packed: bytes, expected: int, layout: Layout) -> bytes:
    """Unpack rows of two dimensions."""
    import imagecodecs

    height = expected // layout.row_bytes
    rows = imagecodecs.ccittfax4_decode(packed, height, layout.segment_width)
    return _checked(packed, rows, "group4", layout)


def _checked(packed: bytes, rows: Pixels, packing: str, layout: Layout) -> bytes:
    """Hold rows of 0 and 1 against their bits; gives them with eight pixels a byte."""
    again = _pack(rows, packing, layout.t4_options)
    sure = max(0, len(again) - _END_BYTES)
    if packed[:sure] != again[:sure]:
        raise undecodable("TIFF", "a strip of fax data is damaged, or of an uncommon form")
    return np.packbits(rows, axis=1).tobytes()


def _pack(rows: Pixels, packing: str, t4_options: int) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    tags = {_ROWS_PER_STRIP: len(rows)}
    if packing == "group3":
        tags[_T4_OPTIONS] = t4_options
    Image.fromarray(rows != 0).save(file, "TIFF", compression=packing, tiffinfo=tags)
    data = file.getvalue()
    page = next(directories(data))
    starts, sizes = page.numbers(_STRIP_OFFSETS, 2), page.numbers(_STRIP_BYTES, 2)
    if len(starts) != 1:
        raise undecodable("TIFF", "its fax data cannot be checked")
    return data[starts[0] : starts[0] + sizes[0]]
