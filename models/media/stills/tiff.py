"""TIFF."""

import struct
from functools import partial

from models.media.memory import Pixels
from models.media.stills.by_opencv import decode_with_opencv
from models.media.stills.exif import orientation_of
from models.media.stills.still import Still, as_channels

_TIFF_WIDTHS, _TIFF_HEIGHTS = (256, 322), (257, 323)  # of the image, and of one tile


def matches(data: bytes) -> bool:
    """Tell a TIFF."""
    return data[:4] in (b"II*\0", b"MM\0*")


def read(data: bytes) -> Still:
    """Read the first directory: the picture's size, or its tiles' where they are larger."""
    order = "<" if data[:2] == b"II" else ">"
    (directory,) = struct.unpack_from(order + "I", data, 4)
    (entries,) = struct.unpack_from(order + "H", data, directory)
    widths, heights = [0], [0]
    for entry in range(directory + 2, directory + 2 + 12 * entries, 12):
        tag, field_type = struct.unpack_from(order + "HH", data, entry)
        form = "H" if field_type == 3 else "I"  # SHORT, else LONG
        (value,) = struct.unpack_from(order + form, data, entry + 8)
        if tag in _TIFF_WIDTHS:
            widths.append(value)
        if tag in _TIFF_HEIGHTS:
            heights.append(value)
    size = max(widths), max(heights)
    return Still(*size, partial(_decode, data), orientation_of(data), largest=size)


def _decode(data: bytes, channels: int, _least: int | None) -> Pixels:
    return as_channels(decode_with_opencv(data, "TIFF"), channels)
