"""Which still formats are read: one line each."""

from collections.abc import Callable
from typing import NamedTuple

from models.media.stills import avif, bmp, gif, heif, jpeg, jxl, png, tiff, webp
from models.media.stills.still import Still


class StillFormat(NamedTuple):
    """A format: how its bytes are told, and what reads their header and prepares the decoder.

    read raises UnsupportedMedia or ImageDecodeFailed, and struct.error or IndexError where the
    bytes end too soon.
    """

    name: str
    matches: Callable[[bytes], bool]
    read: Callable[[bytes], Still]


# In this order they are tried; those with the longest magic come first.
STILLS = (
    StillFormat("PNG", png.matches, png.read),
    StillFormat("GIF", gif.matches, gif.read),
    StillFormat("WebP", webp.matches, webp.read),
    StillFormat("TIFF", tiff.matches, tiff.read),
    StillFormat("AVIF", avif.matches, avif.read),
    StillFormat("HEIF", heif.matches, heif.read),
    StillFormat("JPEG XL", jxl.matches, jxl.read),
    StillFormat("BMP", bmp.matches, bmp.read),
    StillFormat("JPEG", jpeg.matches, jpeg.read),
)
