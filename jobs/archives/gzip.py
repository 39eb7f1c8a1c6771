"""A gzip stream, expanded piece by piece: how a tar.gz becomes a tar that can be range-read."""

import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

from jobs.archives.members import MIB, ArchiveError, Limits, check_ratio, check_total

# Small on the way in: zlib copies what it has not used yet, once for every piece that goes out.
_READ_BYTES = 32 * 1024
_YIELD_BYTES = MIB
_GZIP_ONLY = 16 + zlib.MAX_WBITS


def expand_gzip(
    source: BinaryIO, limits: Limits, beat: Callable[[], None] = lambda: None
) -> Iterator[bytes]:
    """The decompressed stream in chunks of 1 byte to 1 MiB, in bounded memory.

    Several gzip members in a row are one stream (RFC 1952, 2.2), zeros after the last are padding.

    Raises ArchiveError: `archive_too_large` once the total or the ratio is over its limit, before
    the chunk that passed it is given out; `corrupt_archive` for a broken or truncated stream.
    """
    unpacked = 0
    for chunk, packed in _pieces(source):
        beat()
        unpacked += len(chunk)
        check_total(unpacked, limits)
        check_ratio(unpacked, packed, limits)
        if chunk:
            yield chunk


def _pieces(source: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Pieces of output, each with the bytes read so far."""
    packed = 0
    inflater = zlib.decompressobj(_GZIP_ONLY)
    while data := source.read(_READ_BYTES):
        packed += len(data)
        while data:
            if inflater.eof:  # then only padding or another gzip member may follow
                data = data.lstrip(b"\0")
                if not data:
                    break
                inflater = zlib.decompressobj(_GZIP_ONLY)
            chunk, data = _inflate(inflater, data, packed)
            yield chunk, packed
    if not inflater.eof:
        raise ArchiveError(
            "corrupt_archive",
            f"The gzip stream ends too early, after {packed:,} bytes: it was cut short. "
            "Upload the whole file again.",
        )


def _inflate(inflater: "zlib._Decompress", data: bytes, packed: int) -> tuple[bytes, bytes]:
    """One piece of output, and the input that is left."""
    try:
        chunk = inflater.decompress(data, _YIELD_BYTES)
    except zlib.error as err:
        raise ArchiveError(
            "corrupt_archive",
            f"The gzip stream is broken within its first {packed:,} bytes ({err}). "
            "Check it with `gzip -t`, pack it again and upload it anew.",
        ) from err
    return chunk, inflater.unused_data if inflater.eof else inflater.unconsumed_tail
