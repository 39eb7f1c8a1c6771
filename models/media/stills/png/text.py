"""The orientation in a text of a PNG: older ImageMagick writes EXIF there, as hexadecimal digits.

A text may be packed, and unpacks to no more than is needed to find an orientation, however much is
in it.

Source: ImageMagick's coders/png.c (`Raw profile type exif`: newline, kind, newline, length,
newline, digits in lines of 72).
"""

import zlib

from models.media.stills.exif import orientation_of

_KEYWORDS = (b"Raw profile type exif", b"Raw profile type APP1")
# An orientation stands in the first directory: within some hundred bytes, two digits each.
_MOST_TEXT = 256 * 1024
_MOST_PACKED = 1024 * 1024


def orientation_of_text(kind: bytes, body: bytes) -> int | None:
    """Read the orientation out of a chunk tEXt, zTXt or iTXt; None where it says nothing of it."""
    keyword = body[:256].partition(b"\0")[0]
    if keyword not in _KEYWORDS:
        return None
    text = _text(kind, body[len(keyword) + 1 :])
    parts = text.split(maxsplit=2)
    if len(parts) < 3:
        return None
    digits = b"".join(parts[2].split())
    try:
        return orientation_of(bytes.fromhex(digits[: len(digits) // 2 * 2].decode("ascii")))
    except ValueError:
        return None


def _text(kind: bytes, rest: bytes) -> bytes:
    """Unpack what follows the keyword, up to the bound."""
    if kind == b"tEXt":
        return rest[:_MOST_TEXT]
    if kind == b"zTXt":
        return _unpacked(rest[1:])
    is_packed, texts = rest[:1] == b"\1", rest[2:].split(b"\0", 2)
    if len(texts) < 3:
        return b""
    return _unpacked(texts[2]) if is_packed else texts[2][:_MOST_TEXT]


def _unpacked(packed: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(packed[:_MOST_PACKED], _MOST_TEXT)
    except zlib.error:
        return b""
