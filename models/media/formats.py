"""What the bytes are, and how large the picture in them says it is, before anything is decoded.

Only headers are read and nothing is allocated, so a 65535 x 65535 picture of a few hundred bytes
costs microseconds. Six still formats are let through, each by its magic bytes: what stands behind
them in OpenCV is libjpeg-turbo, libpng, libwebp, libtiff, and its own readers of BMP and GIF. So
are five containers of videos, which FFmpeg reads; a playlist, whatever it is called, is none.
"""

import struct
from collections.abc import Callable

from models.errors import ImageDecodeFailed, ImageTooLarge, UnsupportedMedia
from models.media.stills.still import Still
from models.media.stills.table import STILLS
from models.record import Limits

# The fifth to eighth byte of an MP4 or QuickTime file: old ones do not begin with `ftyp`.
_FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
_TS_PACKET = 188

# Bytes of a video's beginning that tell what it is.
VIDEO_HEAD = 3 * _TS_PACKET

# What people send by mistake, to be named in the refusal. Order matters: the first match wins.
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"%PDF", "a PDF document"),
    (b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
    (b"#EXTM3U", "a playlist"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture"),
    (b"8BPS", "a Photoshop document"),
    (b"II+\x00", "a BigTIFF picture"),
    (b"MM\x00+", "a BigTIFF picture"),
    (b"v/1\x01", "an OpenEXR picture"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"PAR1", "a Parquet file"),
    (b"\x80", "a Python pickle"),
    (b"<", "HTML, SVG or other XML text"),
    (b"{", "JSON text"),
    (b"[", "JSON text"),
)
_BRANDS = {b"avif": "an AVIF picture", b"heic": "an HEIC picture", b"mif1": "an HEIF picture"}


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
    """Return the (width, height) in stored pixels that the header states; raises as `open_still`."""
    _, still = open_still(data, limits)
    return still.width, still.height


def still_format(data: bytes) -> str:
    """Name the still format of the bytes; raises UnsupportedMedia naming what they look like."""
    return _format_of(data)[0]


def _format_of(data: bytes) -> tuple[str, Callable[[bytes], Still]]:
    for name, matches, read in STILLS:
        if matches(data):
            return name, read
    raise UnsupportedMedia(
        f"This is not an image that can be read: it looks like {_seen(data)}. "
        "Send JPEG, PNG, WebP, BMP, TIFF or GIF."
    )


def video_format(head: bytes) -> str:
    """Name the container of a video by its first `VIDEO_HEAD` bytes.

    It is "MP4" (QuickTime too), "Matroska" (WebM too), "AVI", "MPEG-TS" or "MPEG-PS". Raises
    UnsupportedMedia naming what the bytes look like.
    """
    if head[4:8] in _FIRST_BOXES and head[8:12] not in _BRANDS:
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


def _seen_instead(head: bytes) -> str:
    """Describe bytes that are no accepted video."""
    try:
        return f"a {still_format(head)} picture"
    except UnsupportedMedia:
        return _seen(head)


def _seen(data: bytes) -> str:
    """Describe bytes that are no accepted picture."""
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12], "an MP4 or QuickTime video")
    if data[:4] == b"RIFF":
        return "an AVI video or a sound file"
    if data[257:262] == b"ustar":
        return "a tar archive"
    for magic, what in _OTHERS:
        if data.startswith(magic):
            return what
    if all(32 <= byte < 127 or byte in b"\t\r\n" for byte in data[:64]):
        return "plain text"
    return "unknown binary data"
