"""TIFF and BigTIFF: every strip and tile is unpacked here, and held against its length.

Of several pages the first full-size one counts. Unsigned samples of 1 to 16 and of 32 bits are
read; grey, RGB, palette, CMYK, and what JPEG packs. Alpha is dropped and colours kept as stored,
also where they say that they were multiplied by it. All else is refused by its name, camera raw
above all: its first page is often a thumbnail.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from models.media.memory import Pixels, check_written, unwritten
from models.media.stills.jpeg.picture import samples_of_stream
from models.media.stills.still import Still, as_channels, undecodable
from models.media.stills.tiff.directory import Directory, directories, is_tiff
from models.media.stills.tiff.layout import (
    JPEG_PACKING,
    YCBCR,
    Layout,
    Segment,
    check_layout,
    layout_of,
    segments_of,
)
from models.media.stills.tiff.packing import check_packing, unpack
from models.media.stills.tiff.raw import check_is_no_camera_raw
from models.media.stills.tiff.samples import colours_of, samples_of
from models.records.errors import ImageDecodeFailed

_NEW_SUBFILE, _SUBFILE, _ORIENTATION, _JPEG_TABLES = 254, 255, 274, 347
_REDUCED_OR_MASK, _REDUCED = 0b101, 2
# Adobe's marker in a JPEG: 0 at its end says RGB or CMYK, 1 says luma and chroma.
_ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"


def matches(data: bytes) -> bool:
    """Tell a TIFF or BigTIFF by its first four bytes."""
    return is_tiff(data)


def read(data: bytes) -> Still:
    """Read the directories up to the first full-size page.

    Raises UnsupportedMedia (camera raw), ImageDecodeFailed or struct.error.
    """
    check_is_no_camera_raw(data)
    page = _first_full_page(data)
    layout = layout_of(page)
    orientation = page.first(_ORIENTATION, 1)
    return Still(
        layout.width,
        layout.height,
        partial(_decode, page, layout),
        orientation if 1 <= orientation <= 8 else 1,
        largest=(layout.segment_width, layout.segment_height),
    )


def _first_full_page(data: bytes) -> Directory:
    for page in directories(data):
        if not page.first(_NEW_SUBFILE) & _REDUCED_OR_MASK and page.first(_SUBFILE) != _REDUCED:
            return page
    raise ImageDecodeFailed(
        "The TIFF image holds only reduced copies of a picture. Save the picture itself as JPEG "
        "or TIFF."
    )


def _decode(page: Directory, layout: Layout, channels: int, _least: int | None) -> Pixels:
    check_layout(page, layout)
    check_packing(layout)
    samples = unwritten((layout.height, layout.width, layout.colours))
    read_segment = _reader(page, layout)
    for segment in segments_of(page, layout):
        if segment.plane is not None and segment.plane >= layout.colours:
            continue
        _place(read_segment(segment), segment, samples)
    check_written(samples, "TIFF")
    return as_channels(colours_of(samples, page, layout), channels)


def _place(part: Pixels, segment: Segment, samples: Pixels) -> None:
    """Put the samples of one strip or tile where they belong; what hangs over is left out."""
    room = samples[segment.top : segment.top + len(part), segment.left :]
    part = part[: room.shape[0], : room.shape[1]]
    room = room[:, : part.shape[1]]
    if segment.plane is None:
        room[:] = part[:, :, : room.shape[2]]
    else:
        room[:, :, segment.plane] = part[:, :, 0]


def _reader(page: Directory, layout: Layout) -> Callable[[Segment], Pixels]:
    """Give what turns a segment into uint8 samples (rows, width, samples side by side)."""
    data, order = page.data, page.order
    if layout.packing == JPEG_PACKING:
        return partial(_samples_of_jpeg, data, page.content(_JPEG_TABLES), layout)

    def read_segment(segment: Segment) -> Pixels:
        packed = data[segment.start : segment.end]
        return samples_of(unpack(packed, segment.height, layout), order, layout)

    return read_segment


def _samples_of_jpeg(data: bytes, tables: bytes, layout: Layout, segment: Segment) -> Pixels:
    """Decode a strip that is a JPEG whose tables may stand apart."""
    stream = data[segment.start : segment.end]
    if not stream.startswith(b"\xff\xd8"):
        raise undecodable("TIFF", "a strip or tile of JPEG does not begin as one")
    is_luma_and_chroma = layout.photometric == YCBCR
    adobe = _ADOBE + bytes([is_luma_and_chroma]) if layout.samples_in_segment > 1 else b""
    whole = b"".join([b"\xff\xd8", tables[2:-2], adobe, stream[2:]])
    size = layout.segment_width, segment.height
    samples = samples_of_stream(whole, size, layout.segment_height, layout.samples_in_segment)
    return np.ascontiguousarray(samples[: segment.height])
