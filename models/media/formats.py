"""What the bytes are, and how large the picture in them says it is, before anything is decoded.

Only headers are read and nothing is allocated, so a 65535 x 65535 picture of a few hundred bytes
costs microseconds. The still formats that are let through, each by its magic bytes, stand in
`stills/table.py`. So are five containers of videos, which FFmpeg reads; a playlist, whatever it is
called, is none.
"""

import struct
from collections.abc import Callable

from models.errors import ImageDecodeFailed, ImageTooLarge, UnsupportedMedia
from models.media.recognition import check_is_no_raw, describe
from models.media.stills.brands import brands_of
from models.media.stills.still import Still
from models.media.stills.table import STILLS
from models.record import Limits

# The fifth to eighth byte of an MP4 or QuickTime file: old ones do not begin with `ftyp`.
_FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
_TS_PACKET = 188

# Bytes of a video's beginning that tell what it is.
VIDEO_HEAD = 3 * _TS_PACKET


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


def video_format(head: bytes) -> str:
    """Name the container of a video by its first `VIDEO_HEAD` bytes.

    It is "MP4" (QuickTime too), "Matroska" (WebM too), "AVI", "MPEG-TS" or "MPEG-PS". Raises
    UnsupportedMedia naming what the bytes look like.
    """
    if head[4:8] in _FIRST_BOXES and not _is_still(head):
        return "MP4"
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "Matroska"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "AVI"
    if head[::_TS_PACKET] == b"GGG":
        return "MPEG-TS"
    if head.startswith(b"\x00\x00\x01\xba"):
        return "MPEG-PS"
    raise UnsupportedMedia(
        f"This is not a video that can be read: it looks like {_seen_instead(head)}. "
        "Send MP4, QuickTime, WebM, Matroska, AVI or MPEG."
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


def _is_still(head: bytes) -> bool:
    return any(matches(head) for _, matches, _ in STILLS) or b"crx " in brands_of(head)


def _seen_instead(head: bytes) -> str:
    """Describe bytes that are no accepted video."""
    try:
        return f"a {still_format(head)} picture"
    except UnsupportedMedia:
        return describe(head)
