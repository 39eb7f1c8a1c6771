"""The ways in which TIFF packs strips and tiles: one function and one line each.

Each gives exactly as many bytes as the strip must have, or raises: a decoder that gives fewer has
met damage, and what is missing would be black. Deflate, LZMA and JPEG notice most damage by
themselves; LZW, PackBits and fax have no checksum.
"""

import lzma
import zlib
from collections.abc import Callable, Mapping

import numpy as np

from models.media.memory import Pixels
from models.media.stills.still import undecodable, unsupported
from models.media.stills.tiff.fax import unpack_group_3, unpack_group_4, unpack_run_lengths
from models.media.stills.tiff.layout import Layout
from models.records.errors import ImageDecodeFailed

# (packed bytes, bytes that must come out, layout) -> those bytes
Unpacker = Callable[[bytes, int, Layout], bytes]

_LZMA_MEMORY = 256 * 2**20

_REFUSED = {
    6: "JPEG in the old way of TIFF 6.0",
    22610: "JPEG XR",
    32767: "Sony's camera raw",
    32809: "ThunderScan",
    33003: "JPEG 2000",
    33004: "JPEG 2000",
    33005: "JPEG 2000",
    34677: "SGI LogLuv",
    34676: "SGI LogLuv",
    34661: "JBIG",
    34712: "JPEG 2000",
    34713: "Nikon's camera raw",
    34887: "LERC",
    34892: "lossy JPEG of camera raw",
    34927: "WebP",
    34933: "PNG",
    34934: "JPEG XR",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
    65535: "Pentax's camera raw",
}


def check_packing(layout: Layout) -> None:
    """Refuse a way of packing that is not read, by its name; raises ImageDecodeFailed."""
    if layout.packing not in _UNPACKERS and layout.packing != 7:
        name = _REFUSED.get(layout.packing, "")
        raise unsupported("TIFF", f"it is compressed with {name or f'method {layout.packing}'}")


def unpack(packed: bytes, height: int, layout: Layout) -> Pixels:
    """Unpack a strip or tile of so many rows; uint8 (bytes,). Raises ImageDecodeFailed."""
    expected = height * layout.row_bytes
    if layout.is_reversed:
        packed = packed.translate(_REVERSED)
    try:
        unpacked = _UNPACKERS[layout.packing](packed, expected, layout)
    except ImageDecodeFailed:
        raise
    # The libraries' errors are of many kinds, some of them bare RuntimeErrors.
    except (ValueError, RuntimeError, zlib.error, lzma.LZMAError, EOFError) as err:
        raise undecodable("TIFF", "a strip or tile of it is damaged") from err
    if len(unpacked) != expected:
        raise undecodable(
            "TIFF", f"a strip or tile of it has {len(unpacked):,} bytes instead of {expected:,}"
        )
    return np.frombuffer(unpacked, np.uint8)


def _stored(packed: bytes, expected: int, _layout: Layout) -> bytes:
    # Some writers round up what they state.
    return packed[:expected]


def _deflate(packed: bytes, expected: int, _layout: Layout) -> bytes:
    unpacker = zlib.decompressobj()
    unpacked = unpacker.decompress(packed, expected)
    # What follows is the checksum, which is looked at only when it is reached.
    if len(unpacked) == expected and not unpacker.eof:
        unpacked += unpacker.decompress(unpacker.unconsumed_tail, 1)
    if not unpacker.eof:
        raise undecodable("TIFF", "a deflated strip or tile of it has no end, or another length")
    return unpacked


def _lzma(packed: bytes, expected: int, _layout: Layout) -> bytes:
    unpacker = lzma.LZMADecompressor(memlimit=_LZMA_MEMORY)
    unpacked = unpacker.decompress(packed, expected + 1)
    if not unpacker.eof:
        raise undecodable("TIFF", "an LZMA strip or tile of it has no end, or another length")
    return unpacked


def _lzw(packed: bytes, expected: int, _layout: Layout) -> bytes:
    import imagecodecs

    # One byte more than there may be, so that too much is seen.
    return bytes(imagecodecs.lzw_decode(packed, out=expected + 1))


def _pack_bits(packed: bytes, expected: int, _layout: Layout) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.packbits_decode(packed, out=expected + 1))


def _zstandard(packed: bytes, expected: int, _layout: Layout) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.zstd_decode(packed, out=expected))


_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))

_UNPACKERS: Mapping[int, Unpacker] = {
    1: _stored,
    2: unpack_run_lengths,
    3: unpack_group_3,
    4: unpack_group_4,
    5: _lzw,
    8: _deflate,
    32773: _pack_bits,
    32946: _deflate,
    34925: _lzma,
    34926: _zstandard,
    50000: _zstandard,
}
