"""Everything that decoding imports and sets up lazily, at once and beforehand.

A decoder process calls this before it gives up the right to open files.
"""

import base64
import io

import numpy as np

from models.media import films
from models.media.pictures import decode
from models.records.record import Limits

# What Pillow can write and we can read, each by its own decoder.
_WRITTEN: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("JPEG", "RGB", {}),
    ("JPEG", "CMYK", {}),
    ("PNG", "RGB", {}),
    ("PNG", "L", {}),
    ("WEBP", "RGB", {}),
    ("BMP", "RGB", {}),
    ("GIF", "RGB", {}),
    ("AVIF", "RGB", {}),
    *(("TIFF", "RGB", {"compression": each}) for each in ("raw", "tiff_lzw", "tiff_deflate")),
    *(("TIFF", "RGB", {"compression": each}) for each in ("packbits", "jpeg", "lzma", "zstd")),
    *(("TIFF", "1", {"compression": each}) for each in ("group3", "group4", "tiff_ccitt")),
)

# HEIC of 64 x 64 grey pixels, which nothing that we install can write.
_HEIC = (
    "AAAAHGZ0eXBoZWl4AAAAAG1pZjFoZWl4bWlhZgAAAU5tZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAA"
    "AAAAAAAAAAACJpbG9jAAAAAERAAAEAAQAAAAABcgABAAAAAAAAABIAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAAB"
    "AABodmMxAAAAAA5waXRtAAAAAAABAAAAzmlwcnAAAACvaXBjbwAAAHJodmNDAQQIAAAAn/gAAAAAHvAA/Pz4+AAADw"
    "NgAAEAF0ABDAH//wQIAAADAJ/4AAADAAAeugJAYQABACZCAQEECAAAAwCf+AAAAwAAHsCCBBZbqSSmubAgAAADAyAA"
    "AAMAIWIAAQAHRAHBcrAiQAAAABNjb2xybmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAABAAAAAQAAAAA5waXhpAAAAAA"
    "EIAAAAF2lwbWEAAAAAAAAAAQABBIECAwQAAAAabWRhdAAAAA4oAa4IMPEqFP/8HVcFgA=="
)


def preload() -> None:
    """Import every decoder, and decode a tiny picture of each format."""
    films.preload()
    for file in _pictures():
        for channels in (1, 3):
            decode(file, channels, Limits())


def heic_picture() -> bytes:
    """Give the smallest HEIC that there is: 64 x 64 pixels of grey 100."""
    return base64.b64decode(_HEIC)


def _pictures() -> list[bytes]:
    import imagecodecs
    from PIL import Image

    tiny = Image.new("RGB", (16, 16), (10, 20, 30))
    files = [heic_picture()]
    for name, mode, options in _WRITTEN:
        file = io.BytesIO()
        tiny.convert(mode).save(file, name, **options)
        files.append(file.getvalue())
    files.append(bytes(imagecodecs.jpegxl_encode(np.asarray(tiny), numthreads=1)))
    # Samples of 4 bits, which Pillow does not write.
    imagecodecs.packints_decode(bytes(16), np.uint8, 4, runlen=32)
    return files
