"""AVIF, by libavif (Pillow): the first picture, turned and mirrored as the file says, once.

AV1 has no checksum, and libavif passes over what av1_padding.py looks at.

Source: AV1 Image File Format 1.1 (AOMedia).
"""

import io
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from models.media.memory import Pixels
from models.media.stills.brands import brands_of
from models.media.stills.still import Still, as_channels, check_memory, undecodable

if TYPE_CHECKING:
    from PIL.AvifImagePlugin import AvifImageFile

_BRANDS = frozenset({b"avif", b"avis"})
_ORIENTATION = 274
_FAILURES = (ValueError, EOFError, SyntaxError, RuntimeError, OSError)


def matches(data: bytes) -> bool:
    """Tell AVIF by the brands that it names."""
    return not _BRANDS.isdisjoint(brands_of(data))


def read(data: bytes) -> Still:
    """Open the file, which decodes nothing; raises ImageDecodeFailed."""
    from PIL import AvifImagePlugin

    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    try:
        image = AvifImagePlugin.AvifImageFile(io.BytesIO(data))
        # Pillow puts there what the file's own boxes say, whatever its EXIF says.
        orientation = image.getexif().get(_ORIENTATION, 1)
    except _FAILURES as err:
        check_memory(err)
        raise undecodable("AVIF", str(err).rstrip(".")) from err
    return Still(image.width, image.height, partial(_decode, data, image), orientation)


def _decode(data: bytes, image: "AvifImageFile", channels: int, _least: int | None) -> Pixels:
    try:
        image.load()
        pixels = np.asarray(image)
    except _FAILURES as err:
        check_memory(err)
        raise undecodable("AVIF", str(err).rstrip(".")) from err
    from models.media.stills.av1_padding import check_padding

    check_padding(data)
    colours = pixels if pixels.ndim == 2 else pixels[:, :, :3]
    return as_channels(np.ascontiguousarray(colours), channels)
