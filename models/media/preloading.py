"""Everything that decoding stills imports and sets up lazily, at once and beforehand.

A decoder process calls this before it gives up the right to open files.
"""

import io

from models.media.pictures import decode
from models.record import Limits

# What Pillow can write and we can read, each by its own decoder.
_WRITTEN = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")


def preload() -> None:
    """Import every still decoder, and decode a tiny picture of each format."""
    from PIL import Image

    for name in _WRITTEN:
        file = io.BytesIO()
        Image.new("RGB", (8, 8), (10, 20, 30)).save(file, name)
        for channels in (1, 3):
            decode(file.getvalue(), channels, Limits())
