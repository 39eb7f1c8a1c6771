"""The streams of a 7z: its folders, and the files' sizes and checksums in each.

Coders are parsed by py7zr; what a few bytes can ask to be counted to millions is read by hand,
within limits. Layout: 7zFormat.txt of the LZMA SDK, "Streams Info".
"""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

from jobs.archives.members import ArchiveError, corrupt
from jobs.archives.seven_zip.folders import Coder

_END, _PACK, _UNPACK, _SUBSTREAMS = 0, 6, 7, 8
_SIZE, _CRC, _FOLDER, _COUNT = 9, 10, 11, 13
_MOST_FILES = 500_000
_MOST_FOLDERS = 0xFFFF


class Stream(NamedTuple):
    """The bytes of one file in its folder."""

    size: int
    crc: int | None


@dataclass(frozen=True, slots=True)
class Folder:
    """What was compressed together: the 7z's own word."""

    start: int  # byte in the archive
    packed: int  # bytes
    size: int  # unpacked bytes
    coders: tuple[Coder, ...]
    streams: tuple[Stream, ...]


def read_folders(source: io.BytesIO, data_start: int) -> list[Folder]:
    """Read a streams info, whose packed data are counted from byte `data_start` of the archive.

    Raises ArchiveError, and whatever py7zr raises of broken bytes.
    """
    from py7zr import archiveinfo  # only who reads a 7z loads it

    if number(source) != _PACK:
        broken()
    packed = archiveinfo.PackInfo.retrieve(source)
    if number(source) != _UNPACK:
        broken()
    _check_folders(source)
    parsed = archiveinfo.UnpackInfo.retrieve(source).folders
    tag = number(source)
    streams: list[tuple[Stream, ...]] = [
        (Stream(each.get_unpack_size(), each.crc if each.digestdefined else None),)
        for each in parsed
    ]
    if tag == _SUBSTREAMS:
        streams = _read_substreams(source, [each for (each,) in streams])
        tag = number(source)
    if tag != _END:
        broken()
    return list(_joined(packed, parsed, streams, data_start))


def _check_folders(source: io.BytesIO) -> None:
    at = source.tell()
    if number(source) != _FOLDER:
        broken()
    if number(source) > _MOST_FOLDERS:
        raise ArchiveError(
            "archive_too_large",
            f"The 7z has more than {_MOST_FOLDERS:,} blocks. Pack it again as a solid archive.",
        )
    source.seek(at)


def _joined(
    packed: Any, parsed: list[Any], streams: list[tuple[Stream, ...]], data_start: int
) -> Iterator[Folder]:
    start, at = data_start + packed.packpos, 0
    for each, files in zip(parsed, streams, strict=True):
        coders = tuple(Coder.of(coder) for coder in each.coders)
        sizes = packed.packsizes[at : at + len(each.packed_indices)]
        if not sizes or any(stream.size < 0 for stream in files):
            broken()
        is_chain = all(bond.incoder == bond.outcoder + 1 for bond in each.bindpairs)
        if len(sizes) != 1 or not is_chain:  # refused when it is opened
            coders = (*coders, Coder(b"branched", b"", is_simple=False))
        yield Folder(start, sizes[0], each.get_unpack_size(), coders, files)
        start += sum(sizes)
        at += len(each.packed_indices)


def _read_substreams(source: io.BytesIO, folders: list[Stream]) -> list[tuple[Stream, ...]]:
    """Sizes and checksums of the files in each folder, which is given as one stream."""
    tag, counts = number(source), [1] * len(folders)
    if tag == _COUNT:
        counts = [number(source) for _ in folders]
        check_files(sum(counts))
        tag = number(source)
    sizes: list[list[int]] = []
    for folder, count in zip(folders, counts, strict=True):
        if count > 1 and tag != _SIZE:
            broken()
        known = [number(source) for _ in range(count - 1)]
        sizes.append([*known, folder.size - sum(known)] if count else [])
    if tag == _SIZE:
        tag = number(source)
    is_known = [
        count == 1 and folder.crc is not None for folder, count in zip(folders, counts, strict=True)
    ]
    missing = sum(count for count, known in zip(counts, is_known, strict=True) if not known)
    checksums: list[int | None] = [None] * missing
    if tag == _CRC:
        checksums = _checksums(source, missing)
        tag = number(source)
    crcs = iter(checksums)
    if tag != _END:
        broken()
    return [
        (folder,) if known else tuple(Stream(size, next(crcs)) for size in in_folder)
        for folder, known, in_folder in zip(folders, is_known, sizes, strict=True)
    ]


def _checksums(source: io.BytesIO, count: int) -> list[int | None]:
    are_defined = [True] * count
    if source.read(1) == b"\0":
        are_defined = bits(source.read(-(-count // 8)), count)
    values = struct.iter_unpack("<I", source.read(4 * sum(are_defined)))
    return [next(values)[0] if is_defined else None for is_defined in are_defined]


def check_files(count: int) -> None:
    """Raise ArchiveError for more files than the header of a 7z is read for."""
    if count > _MOST_FILES:
        raise ArchiveError(
            "archive_too_large",
            f"The 7z has more than {_MOST_FILES:,} files. Pack it as zip or tar, or split it.",
        )


def bits(field: bytes, count: int) -> list[bool]:
    """A row of bits, the highest first; no field is a row of zeros."""
    if field and 8 * len(field) < count:
        broken()
    return [bool(field) and bool(field[at >> 3] >> (7 - at % 8) & 1) for at in range(count)]


def number(source: io.BytesIO) -> int:
    """A 7z number: the first byte's leading ones say how many more bytes follow."""
    first = source.read(1)
    if not first:
        broken()
    mask, value, low = 0x80, 0, first[0]
    for index in range(8):
        if not low & mask:
            return int(value | ((low & (mask - 1)) << (8 * index)))
        byte = source.read(1)
        if not byte:
            broken()
        value |= byte[0] << (8 * index)
        mask >>= 1
    return int(value)


def broken() -> NoReturn:
    """Refuse the header."""
    corrupt("The header of the 7z is broken")
