"""From a member's byte range to the member's bytes: what a worker runs for every item.

Layout of a zip member (PKWARE APPNOTE 6.3.10, 4.3.7 to 4.3.9): local header of 30 bytes, name,
extra field, data, and a data descriptor with the checksum where the writer could not seek back.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import NoReturn

from jobs.archives.members import ArchiveError, Encoding

# signature, flags, method, crc, name length, extra length
_LOCAL = struct.Struct("<4s2x2H4xI8x2H")
_MAGIC = b"PK\x03\x04"
_CRC = struct.Struct("<I")
_ENCRYPTED = 0x0001
_STREAMED = 0x0008  # sizes and checksum stand after the data, not in the header
_STORED, _DEFLATED = 0, 8

# Bytes that are inflated at a time.
_PIECE = 1024 * 1024

_NO_DESCRIPTOR = "its data descriptor is missing"


def extract(data: bytes | memoryview, encoding: Encoding, max_bytes: int, size: int) -> bytes:
    """The bytes of one member.

    `data` is what was read at the member's `offset`, `length` bytes; `size` is the member's
    `size`; `max_bytes` is the most that a member may have. Output is capped at `size` + 1 bytes
    while it grows (pieces are joined at the end: twice that for a moment).

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
        whole = _stored_whole(data, size)
        return b"".join(extract_stream([data], size)) if whole is None else whole
    if len(data) != size:
        _corrupt(f"{len(data):,} bytes were read of a member of {size:,}")
    return bytes(data)


def _stored_whole(data: bytes | memoryview, size: int) -> bytes | None:
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


def extract_stream(
    parts: Iterable[bytes | memoryview], size: int, encoding: Encoding = "zip"
) -> Iterator[bytes]:
    """The bytes of one member, piece by piece, in bounded memory.

    `parts` are its byte range, cut anywhere; `size` is the member's `size`. What was given is whole
    only when the iterator has ended. Raises ArchiveError as `extract` does.
    """
    source = _Source(parts)
    magic, flags, method, crc, name_length, extra_length = _LOCAL.unpack(
        source.take(_LOCAL.size, "its {} bytes are too few for a local header")
    )
    if magic != _MAGIC:
        _corrupt("there is no local header at its offset")
    if flags & _ENCRYPTED or method not in (_STORED, _DEFLATED):
        raise ArchiveError(
            "unsupported_archive",
            f"The member's local header asks for compression method {method} or encryption. "
            "Pack the archive again with store or deflate and no password.",
        )
    source.take(name_length + extra_length, "its local header ends after {} bytes")
    # Neither size in the local header is used: both may be 0 (streamed) or 0xFFFFFFFF (zip64).
    # Deflate knows its own end and `size` is the end of what is stored.
    actual = 0
    for content in (_inflate if method == _DEFLATED else _stored)(source, size):
        actual = zlib.crc32(content, actual)
        yield content
    if flags & _STREAMED:
        crc = _descriptor_crc(source)
    if actual != crc:
        _corrupt("its checksum (CRC-32) does not match its data")


class _Source:
    """Bytes that come in parts, and are taken in others."""

    def __init__(self, parts: Iterable[bytes | memoryview]) -> None:
        self._parts = iter(parts)
        self._rest = memoryview(next(self._parts, b""))

    def next(self) -> memoryview:
        """Give what is there of the present part, else the next one; empty at the end."""
        while not self._rest and (part := next(self._parts, None)) is not None:
            self._rest = memoryview(part)
        found, self._rest = self._rest, memoryview(b"")
        return found

    def give_back(self, part: bytes | memoryview) -> None:
        self._rest = memoryview(part)

    def take(self, count: int, fault: str) -> bytes:
        """Give exactly so many bytes; `fault` is the error when there are only {}."""
        if len(self._rest) >= count:  # as a rule
            found, self._rest = bytes(self._rest[:count]), self._rest[count:]
            return found
        taken = bytearray()
        while len(taken) < count and (part := self.next()):
            missing = count - len(taken)
            taken += part[:missing]
            self.give_back(part[missing:])
        if len(taken) < count:
            _corrupt(fault.format(len(taken)))
        return bytes(taken)


def _stored(source: _Source, size: int) -> Iterator[bytes]:
    given = 0
    while given < size:
        if not (part := source.next()):
            _corrupt(f"its data ends after {given:,} bytes of {size:,}")
        content = bytes(part[: size - given])
        source.give_back(part[len(content) :])
        given += len(content)
        yield content


def _inflate(source: _Source, size: int) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    given = 0
    while not inflater.eof:
        packed = source.next()
        try:
            # One byte of room more than declared: a full end is then seen, and so is a lie.
            content = inflater.decompress(packed, min(_PIECE, size - given + 1))
        except zlib.error as err:
            raise ArchiveError("corrupt_archive", _message(f"its data is broken ({err})")) from err
        if not (packed or content):
            break
        source.give_back(inflater.unused_data or inflater.unconsumed_tail)
        given += len(content)
        if given > size:
            _corrupt(f"it inflates to more than the {size:,} bytes that the archive declares")
        yield content
    if given < size or not inflater.eof:
        _corrupt(f"its data ends after {given:,} bytes of {size:,}")


def _descriptor_crc(source: _Source) -> int:
    """The checksum after streamed data; the descriptor's signature is optional (4.3.9.3)."""
    first = source.take(_CRC.size, _NO_DESCRIPTOR)
    if first == b"PK\x07\x08":
        first = source.take(_CRC.size, _NO_DESCRIPTOR)
    crc: int = _CRC.unpack(first)[0]
    return crc


def _message(fault: str) -> str:
    return f"The member cannot be read: {fault}. Pack the archive again and upload it anew."


def _corrupt(fault: str) -> NoReturn:
    raise ArchiveError("corrupt_archive", _message(fault))
