"""From a member's byte range to the member's bytes: what a worker runs for every item.

Layout of a zip member (PKWARE APPNOTE 6.3.10, 4.3.7 to 4.3.9): local header of 30 bytes, name,
extra field, data, and a data descriptor with the checksum where the writer could not seek back.
"""

import struct
import zlib
from typing import NoReturn

from jobs.archives.members import ArchiveError, Encoding

# signature, flags, method, crc, name length, extra length
_LOCAL = struct.Struct("<4s2x2H4xI8x2H")
_CRC = struct.Struct("<I")
_ENCRYPTED = 0x0001
_STREAMED = 0x0008  # sizes and checksum stand after the data, not in the header
_STORED, _DEFLATED = 0, 8


def extract(data: bytes | memoryview, encoding: Encoding, max_bytes: int, size: int) -> bytes:
    """The bytes of one member.

    `data` is what was read at the member's `offset`, `length` bytes; `size` is the member's
    `size`; `max_bytes` is the most that a member may have. Output is capped at `size` + 1 bytes
    while it grows (zlib joins its pieces at the end: twice that for a moment).

    Raises ArchiveError: `archive_too_large` before anything is inflated when `size` is over
    `max_bytes`; `corrupt_archive` when length or checksum differ from what was declared;
    `unsupported_archive` for encryption or a method other than stored and deflate.
    """
    if size > max_bytes:
        raise ArchiveError(
            "archive_too_large",
            f"The member has {size:,} bytes, over the {max_bytes:,} that one item may have. "
            "Make the image smaller.",
        )
    if encoding == "zip":
        return _extract_zip(memoryview(data), size)
    if len(data) != size:
        _corrupt(f"{len(data):,} bytes were read of a member of {size:,}")
    return bytes(data)


def _extract_zip(data: memoryview, size: int) -> bytes:
    if len(data) < _LOCAL.size:
        _corrupt(f"its {len(data):,} bytes are too few for a local header")
    magic, flags, method, crc, name_length, extra_length = _LOCAL.unpack_from(data)
    if magic != b"PK\x03\x04":
        _corrupt("there is no local header at its offset")
    if flags & _ENCRYPTED or method not in (_STORED, _DEFLATED):
        raise ArchiveError(
            "unsupported_archive",
            f"The member's local header asks for compression method {method} or encryption. "
            "Pack the archive again with store or deflate and no password.",
        )
    # Neither size in the local header is used: both may be 0 (streamed) or 0xFFFFFFFF (zip64).
    # Deflate knows its own end and `size` is the end of what is stored.
    packed = data[_LOCAL.size + name_length + extra_length :]
    content, rest = _inflate(packed, size) if method == _DEFLATED else _stored(packed, size)
    if flags & _STREAMED:
        crc = _descriptor_crc(rest)
    if zlib.crc32(content) != crc:
        _corrupt("its checksum (CRC-32) does not match its data")
    return content


def _stored(packed: memoryview, size: int) -> tuple[bytes, memoryview]:
    if len(packed) < size:
        _corrupt(f"its data ends after {len(packed):,} bytes of {size:,}")
    return bytes(packed[:size]), packed[size:]


def _inflate(packed: memoryview, size: int) -> tuple[bytes, bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        # One byte of room more than declared: a full end is then seen, and so is a lie.
        content = inflater.decompress(packed, size + 1)
    except zlib.error as err:
        raise ArchiveError("corrupt_archive", _message(f"its data is broken ({err})")) from err
    if len(content) > size:
        _corrupt(f"it inflates to more than the {size:,} bytes that the archive declares")
    if len(content) < size or not inflater.eof:
        _corrupt(f"its data ends after {len(content):,} bytes of {size:,}")
    return content, inflater.unused_data


def _descriptor_crc(rest: bytes | memoryview) -> int:
    """The checksum after streamed data; the descriptor's signature is optional (4.3.9.3)."""
    start = 4 if rest[:4] == b"PK\x07\x08" else 0
    if len(rest) < start + _CRC.size:
        _corrupt("its data descriptor is missing")
    crc: int = _CRC.unpack_from(rest, start)[0]
    return crc


def _message(fault: str) -> str:
    return f"The member cannot be read: {fault}. Pack the archive again and upload it anew."


def _corrupt(fault: str) -> NoReturn:
    raise ArchiveError("corrupt_archive", _message(fault))
