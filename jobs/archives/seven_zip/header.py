"""The header of a 7z: which files it holds, and how each of its folders is compressed.

The list of files is read by hand, as py7zr keeps some kilobytes for each. Layout: 7zFormat.txt of
the LZMA SDK.
"""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal, NamedTuple

from jobs.archives.members import MIB, ArchiveError, Limits, check_count, corrupt, joined
from jobs.archives.seven_zip.folders import FolderReader, opened
from jobs.archives.seven_zip.streams import (
    Folder,
    bits,
    broken,
    check_files,
    number,
    read_folders,
)

FileKind = Literal["file", "folder", "symlink", "device"]

# signature, checksum of the rest, offset, size and checksum of the header
_SIGNATURE = struct.Struct("<6s2xI2QI")
_MAGIC = b"7z\xbc\xaf\x27\x1c"
_HEADER, _MAIN_STREAMS, _FILES, _ENCODED = b"\x01", b"\x04", b"\x05", b"\x17"
_END, _EMPTY_STREAM, _EMPTY_FILE, _NAMES, _ATTRIBUTES = 0, 14, 15, 17, 21
# Names and sizes of some 300,000 files. Both packed and unpacked.
_MOST_HEADER_BYTES = 32 * MIB
_MOST_NESTED = 4
_UNIX, _FOLDER_ATTRIBUTE, _REPARSE_POINT = 0x8000, 0x10, 0x400
_UNIX_KINDS: dict[int, FileKind] = {0o10: "file", 0o04: "folder", 0o12: "symlink"}


class File(NamedTuple):
    """One file of a 7z, in its order."""

    name: str
    kind: FileKind
    has_data: bool


@dataclass(frozen=True, slots=True)
class Header:
    """All of a 7z but its data."""

    files: list[File]
    folders: list[Folder]


def read_header(file: BinaryIO, limits: Limits, beat: Callable[[], None]) -> Header:
    """Read the header; raises ArchiveError where it is broken, too large or encrypted."""
    file.seek(0)
    signature = file.read(_SIGNATURE.size)
    if len(signature) < _SIGNATURE.size or not signature.startswith(_MAGIC):
        corrupt("The 7z is cut short: it has no signature header")
    _, crc, offset, size, header_crc = _SIGNATURE.unpack(signature)
    if zlib.crc32(signature[12:]) != crc:
        corrupt("The 7z is broken: the checksum of its first 32 bytes is wrong")
    if size == 0:
        return Header([], [])
    _check_size(size)
    end = file.seek(0, io.SEEK_END)
    if offset + size > end - _SIGNATURE.size:
        corrupt(f"The 7z ends at byte {end:,}, before its header: it was cut short")
    file.seek(_SIGNATURE.size + offset)
    data = file.read(size)
    if zlib.crc32(data) != header_crc:
        corrupt("The 7z is broken: the checksum of its header is wrong")
    if file.read(len(_MAGIC)) == _MAGIC:
        joined("7z")
    return _unpacked(file, data, limits, beat)


def _unpacked(file: BinaryIO, data: bytes, limits: Limits, beat: Callable[[], None]) -> Header:
    """Parse a header, which may be packed as a folder is, and that again."""
    try:
        for _ in range(_MOST_NESTED):
            beat()
            if not data.startswith(_ENCODED):
                break
            data = _decoded(file, data)
        return _parsed(data, limits)
    except ArchiveError:
        raise
    except MemoryError as err:
        raise ArchiveError("archive_too_large", "The 7z has too large a header.") from err
    except Exception as err:  # the parser was not written for hostile bytes: any kind may come
        raise ArchiveError(
            "corrupt_archive",
            "The header of the 7z is broken. Pack the archive again and upload it anew.",
        ) from err


def _check_size(size: int) -> None:
    if size > _MOST_HEADER_BYTES:
        raise ArchiveError(
            "archive_too_large",
            f"The list of files of the 7z has {size:,} bytes, over {_MOST_HEADER_BYTES:,}. "
            "Split it into several archives, or pack it as zip or tar.",
        )


def _decoded(file: BinaryIO, data: bytes) -> bytes:
    folders = read_folders(io.BytesIO(data[1:]), _SIGNATURE.size)
    if len(folders) != 1 or len(folders[0].streams) != 1:
        broken()
    folder = folders[0]
    _check_size(folder.size)
    reader = FolderReader(file, folder.start, folder.packed, opened(folder.coders, folder.size))
    unpacked = b"".join(reader.pieces(folder.size))
    crc = folder.streams[0].crc
    if crc is not None and crc != zlib.crc32(unpacked):
        broken()
    return unpacked


def _parsed(data: bytes, limits: Limits) -> Header:
    source = io.BytesIO(data)
    if source.read(1) != _HEADER:
        broken()
    folders: list[Folder] = []
    tag = source.read(1)
    if tag == _MAIN_STREAMS:
        folders = read_folders(source, _SIGNATURE.size)
        tag = source.read(1)
    if tag == b"\0":
        return Header([], [])
    if tag != _FILES:
        broken()
    files = list(_files(source, limits))
    if sum(each.has_data for each in files) != sum(len(folder.streams) for folder in folders):
        broken()
    return Header(files, folders)


def _files(source: io.BytesIO, limits: Limits) -> Iterator[File]:
    count = number(source)
    check_count(count, limits)
    check_files(count)
    found: dict[int, bytes] = {}
    while (tag := number(source)) != _END:
        found[tag] = source.read(number(source))
    names = _names(found.get(_NAMES, b""), count)
    empty = bits(found.get(_EMPTY_STREAM, b""), count)
    are_files = iter(bits(found.get(_EMPTY_FILE, b""), sum(empty)))
    attributes = _attributes(found.get(_ATTRIBUTES, b""), count)
    for name, is_empty, attribute in zip(names, empty, attributes, strict=True):
        kind = _kind(attribute)
        if is_empty and not next(are_files):
            kind = "folder"
        yield File(name, kind, not is_empty)


def _kind(attribute: int) -> FileKind:
    if attribute & _UNIX:
        return _UNIX_KINDS.get(attribute >> 28, "device")
    if attribute & _REPARSE_POINT:
        return "symlink"
    return "folder" if attribute & _FOLDER_ATTRIBUTE else "file"


def _names(field: bytes, count: int) -> list[str]:
    if not field and count == 1:
        return [""]
    if field[:1] != b"\0":  # kept elsewhere, which no tool writes
        broken()
    names = field[1:].decode("utf-16-le", "replace").split("\0")
    if len(names) <= count:  # each ends in a zero
        broken()
    return names[:count]


def _attributes(field: bytes, count: int) -> list[int]:
    if not field:
        return [0] * count
    are_defined, at = [True] * count, 1
    if field[0] == 0:
        at += -(-count // 8)
        are_defined = bits(field[1:at], count)
    if field[at : at + 1] != b"\0":
        broken()
    values = struct.iter_unpack("<I", field[at + 1 : at + 1 + 4 * sum(are_defined)])
    return [next(values)[0] if is_defined else 0 for is_defined in are_defined]
