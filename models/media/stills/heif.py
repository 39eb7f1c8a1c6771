"""HEIC and HEIF, what iPhones take, by libheif and libde265 (pi-heif, which has no encoder).

The primary picture counts, put together of its tiles; the turns and mirrors that the file names
are applied by libheif, once: EXIF, which says the same again, is not looked at. HEVC has no
checksum, and libde265 covers up damage: what it noticed cannot be asked for.

Source: ISO/IEC 23008-12.
"""

import io
from functools import partial
from typing import Any

import numpy as np

from models.media.memory import Pixels, check_written, unwritten
from models.media.stills.brands import brands_of
from models.media.stills.still import Still, as_channels, check_memory, undecodable, unsupported

_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"mif2", b"msf1"}
)
_AVIF = frozenset({b"avif", b"avis"})
_FAILURES = (ValueError, EOFError, SyntaxError, RuntimeError, OSError)


def matches(data: bytes) -> bool:
    """Tell HEIF by the brands that it names, where AVIF's is not among them."""
    brands = brands_of(data)
    return not _BRANDS.isdisjoint(brands) and _AVIF.isdisjoint(brands)


def read(data: bytes) -> Still:
    """Open the file, which decodes nothing; raises ImageDecodeFailed."""
    import pi_heif

    pi_heif.options.DECODE_THREADS = 1
    try:
        file = pi_heif.open_heif(io.BytesIO(data))
        picture = file[file.primary_index]
    except _FAILURES as err:
        check_memory(err)
        raise undecodable("HEIF", _reason(err)) from err
    width, height = picture.size
    return Still(width, height, partial(_decode, file))


def _decode(file: Any, channels: int, _least: int | None) -> Pixels:
    picture = file[file.primary_index]
    try:
        pixels = np.asarray(picture)
    except _FAILURES as err:
        check_memory(err)
        raise undecodable("HEIF", _reason(err)) from err
    if pixels.dtype != np.uint8:
        raise unsupported("HEIF", f"its samples are of the kind {picture.mode}")
    colours = pixels if pixels.ndim == 2 else pixels[:, :, :3]
    # What lies under that array goes when the file does: it must be copied while both are here.
    own = unwritten(colours.shape)
    own[:] = colours
    check_written(own, "libheif")
    return as_channels(own, channels)


def _reason(err: Exception) -> str:
    return str(err).strip().rstrip(".")[:200]
