"""One member of a zip: from its byte range to its bytes.

Layout (PKWARE APPNOTE 6.3.10, 4.3.7 to 4.3.9): local header of 30 bytes, name, extra field, data,
and a data descriptor with the checksum where the writer could not seek back.
"""

import struct
import zlib
from collections.abc import Iterator

from jobs.archives.compression import METHODS, Broken, Decompressor, unsupported
from jobs.archives.members import ArchiveError
from jobs.archives.source import Source, message, unreadable

# signature, flags, method, crc, name length, extra length
_LOCAL = struct.Struct("<4s2x2H4xI8x2H")
_MAGIC = b"PK\x03\x04"
_CRC = struct.Struct("<I")
_ENCRYPTED = 0x0001
_END_MARKED = 0x0002  # of LZMA: an end mark is there
_STREAMED = 0x0008  # sizes and checksum stand after the data, not in the header
_STORED, _DEFLATE64, _LZMA = 0, 9, 14

# Bytes that are inflated at a time.
_PIECE = 1024 * 1024

_NO_DESCRIPTOR = "its data descriptor is missing"


def stored_whole(data: bytes | memoryview, size: int) -> bytes | None:
    """The member if it is stored and right in every way, which most are; None is no verdict."""
    if len(data) < _LOCAL.size:
        return None
    magic, flags, method, crc, name_length, extra_length = _LOCAL.unpack_from(data)
    if magic != _MAGIC or method != _STORED or flags & (_ENCRYPTED | _STREAMED):
        return None
    start = _LOCAL.size + name_length + extra_length
    if start + size > len(data):
        return None
    content = bytes(data[start : start + size])
    return content if zlib.crc32(content) == crc else None


def zip_pieces(source: Source, size: int) -> Iterator[bytes]:
    """The bytes of a member of `size` bytes, in pieces of 1 MiB at most; raises ArchiveError."""
    magic, flags, method, crc, name_length, extra_length = _LOCAL.unpack(
        source.take(_LOCAL.size, "its {} bytes are too few for a local header")
    )
    if magic != _MAGIC:
        unreadable("there is no local header at its offset")
    if flags & _ENCRYPTED or method not in METHODS or _has_no_known_end(flags, method):
        raise unsupported(method)
    source.take(name_length + extra_length, "its local header ends after {} bytes")
    # Neither size in the local header is used: both may be 0 (streamed) or 0xFFFFFFFF (zip64).
    # Nearly every method knows its own end and `size` is the end of what is stored.
    actual = 0
    for content in _pieces(source, size, flags, method):
        actual = zlib.crc32(content, actual)
        yield content
    if flags & _STREAMED:
        crc = _descriptor_crc(source)
    if actual != crc:
        unreadable("its checksum (CRC-32) does not match its data")


def _has_no_known_end(flags: int, method: int) -> bool:
    """Whether the descriptor cannot be found, for nothing says where the data before it end."""
    endless = method == _DEFLATE64 or (method == _LZMA and not flags & _END_MARKED)
    return bool(flags & _STREAMED) and endless


def _pieces(source: Source, size: int, flags: int, method: int) -> Iterator[bytes]:
    made = METHODS[method]
    if made is None:
        return _stored(source, size)
    ends_by_size = method == _LZMA and not flags & _END_MARKED
    return _decompressed(source, size, made(size), ends_by_size)


def _stored(source: Source, size: int) -> Iterator[bytes]:
    given = 0
    while given < size:
        if not (part := source.next()):
            unreadable(f"its data ends after {given:,} bytes of {size:,}")
        content = bytes(part[: size - given])
        source.give_back(part[len(content) :])
        given += len(content)
        yield content


def _decompressed(
    source: Source, size: int, decompressor: Decompressor, ends_by_size: bool
) -> Iterator[bytes]:
    given = 0
    # One byte of room more than declared: a full end is then seen, and so is a lie.
    most = size if ends_by_size else size + 1
    while not decompressor.eof and given < most:
        hungry = decompressor.needs_input
        packed = source.next() if hungry else memoryview(b"")
        try:
            content = decompressor.decompress(packed, min(_PIECE, most - given))
        except Broken as err:
            raise ArchiveError("corrupt_archive", message(f"its data is broken ({err})")) from err
        if hungry and not (packed or content):
            break
        source.give_back(decompressor.unused)
        given += len(content)
        if given > size:
            unreadable(f"it inflates to more than the {size:,} bytes that the archive declares")
        yield content
    if given < size or not (decompressor.eof or ends_by_size):
        unreadable(f"its data ends after {given:,} bytes of {size:,}")


def _descriptor_crc(source: Source) -> int:
    """The checksum after streamed data; the descriptor's signature is optional (4.3.9.3)."""
    first = source.take(_CRC.size, _NO_DESCRIPTOR)
    if first == b"PK\x07\x08":
        first = source.take(_CRC.size, _NO_DESCRIPTOR)
    crc: int = _CRC.unpack(first)[0]
    return crc
