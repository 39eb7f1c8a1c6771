"""What the bytes are, and how large the picture in them says it is, before anything is decoded.

Only headers are read and nothing is allocated, so a 65535 x 65535 picture of a few hundred bytes
costs microseconds. Six still formats are let through, each by its magic bytes: what stands behind
them in OpenCV is libjpeg-turbo, libpng, libwebp, libtiff, and its own readers of BMP and GIF.
Films have theirs in film_formats.py.
"""

import struct
from collections.abc import Callable, Mapping

from models.errors import ImageDecodeFailed, ImageTooLarge, UnsupportedMedia
from models.media.headers import bmp_size, gif_size, jpeg_size, png_size, tiff_size, webp_size
from models.record import Limits

SizeReader = Callable[[bytes], tuple[int, int]]

_STILLS: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
)

_SIZES: Mapping[str, SizeReader] = {
    "JPEG": jpeg_size,
    "PNG": png_size,
    "WebP": webp_size,
    "BMP": bmp_size,
    "TIFF": tiff_size,
    "GIF": gif_size,
}

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


def check_media(data: bytes, limits: Limits) -> tuple[int, int]:
    """Return the (width, height) in pixels that the header states, if the item is acceptable.

    Raises UnsupportedMedia, ImageTooLarge or ImageDecodeFailed (empty, or a broken header).
    """
    if not data:
        raise ImageDecodeFailed("The image is empty (0 bytes).")
    if len(data) > limits.max_bytes:
        raise ImageTooLarge(
            f"The image file has {len(data):,} bytes; this model takes at most "
            f"{limits.max_bytes:,}. Send a smaller or more compressed picture."
        )
    kind = still_format(data)
    try:
        width, height = _SIZES[kind](data)
    except (struct.error, IndexError) as err:
        raise ImageDecodeFailed(
            f"The {kind} image is truncated: it ends inside its structure."
        ) from err
    _check_size(width, height, kind, limits)
    return width, height


def still_format(data: bytes) -> str:
    """Name the still format of the bytes; raises UnsupportedMedia naming what they look like."""
    for magic, kind in _STILLS:
        if data.startswith(magic):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    raise UnsupportedMedia(
        f"This is not an image that can be read: it looks like {_seen(data)}. "
        "Send JPEG, PNG, WebP, BMP, TIFF or GIF."
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
