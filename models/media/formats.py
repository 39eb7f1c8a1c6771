"""What the bytes are, and how large the picture in them says it is, before anything is decoded.

Only headers are read and nothing is allocated, so a 65535 x 65535 picture of a few hundred bytes
costs microseconds. The still formats that are let through, each by its magic bytes, stand in
`stills/table.py`; films have theirs in film_formats.py.
"""

import struct
from collections.abc import Callable

from models.media.recognition import check_is_no_raw, describe
from models.media.stills.still import Still
from models.media.stills.table import STILLS
from models.records.errors import ImageDecodeFailed, ImageTooLarge, UnsupportedMedia
from models.records.record import Limits


def open_still(data: bytes, limits: Limits) -> tuple[str, Still]:
    """Name the format and read the header, if the item is acceptable; nothing is decoded.

    Raises UnsupportedMedia, ImageTooLarge or ImageDecodeFailed (empty, or a broken header).
    """
    if not data:
        raise ImageDecodeFailed("The image is empty (0 bytes).")
    if len(data) > limits.max_bytes:
        raise ImageTooLarge(
            f"The image file has {len(data):,} bytes; this model takes at most "
            f"{limits.max_bytes:,}. Send a smaller or more compressed picture."
        )
    kind, read = _format_of(data)
    try:
        still = read(data)
    except (struct.error, IndexError) as err:
        raise ImageDecodeFailed(
            f"The {kind} image is truncated: it ends inside its structure."
        ) from err
    _check_size(still.width, still.height, kind, limits)
    if still.largest != (0, 0):
        _check_size(*still.largest, kind, limits)
    return kind, still


def check_media(data: bytes, limits: Limits) -> tuple[int, int]:
    """Return the (width, height) that the header states, as stored; raises as `open_still`."""
    _, still = open_still(data, limits)
    return still.width, still.height


def still_format(data: bytes) -> str:
    """Name the still format of the bytes; raises UnsupportedMedia naming what they look like."""
    return _format_of(data)[0]


def _format_of(data: bytes) -> tuple[str, Callable[[bytes], Still]]:
    for name, matches, read in STILLS:
        if matches(data):
            return name, read
    check_is_no_raw(data)
    raise UnsupportedMedia(
        f"This is not an image that can be read: it looks like {describe(data)}. "
        "Send JPEG, PNG, WebP, HEIC, AVIF, JPEG XL, TIFF, BMP or GIF."
    )


def _check_size(width: int, height: int, kind: str, limits: Limits) -> None:
    """Hold the stated size against the limit."""
    if width < 1 or height < 1:
        raise ImageDecodeFailed(f"The {kind} image states a size of {width} x {height} pixels.")
    if width * height > limits.max_pixels:
        raise ImageTooLarge(
            f"The {kind} image is {width} x {height} pixels, {width * height:,} in all; this "
            f"model takes at most {limits.max_pixels:,}. Send a smaller picture."
        )
