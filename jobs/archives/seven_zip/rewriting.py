"""A 7z, rewritten as a tar: its files lie in solid blocks, of which no member can be range-read."""

import tarfile
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

from jobs.archives.members import ArchiveError, Limits, check_ratio, check_total
from jobs.archives.names import fitted, shown
from jobs.archives.seven_zip.folders import FolderReader, opened
from jobs.archives.seven_zip.header import File, Header, read_header
from jobs.archives.seven_zip.streams import Folder, Stream
from jobs.archives.tar.headers import BLOCK, padded

_TYPES = {"file": tarfile.REGTYPE, "symlink": tarfile.SYMTYPE, "device": tarfile.CHRTYPE}


def expand_7z(file: BinaryIO, limits: Limits, beat: Callable[[], None]) -> Iterator[bytes]:
    """The files of a 7z as a tar, piece by piece: solid blocks are read once, forwards.

    Nothing is written anywhere. Memory: the header, a dictionary of 128 MiB at most, and 1 MiB.

    Raises ArchiveError: `archive_too_large` past a limit; `corrupt_archive` where sizes or
    checksums differ; `unsupported_archive` for encryption and methods that nothing here reads.
    """
    header = read_header(file, limits, beat)
    _judge(header, limits)
    streams = _streams(file, header)
    for each in header.files:
        beat()
        if each.kind == "folder" and not each.has_data:
            continue
        reader, stream = next(streams) if each.has_data else (None, Stream(0, None))
        kept = stream.size if each.kind == "file" else 0
        yield _tar_header(each, kept, limits)
        if reader is not None:
            for piece in _checked(each, reader, stream):
                beat()
                if kept:
                    yield piece
        yield bytes(padded(kept) - kept)
    yield bytes(2 * BLOCK)


def _judge(header: Header, limits: Limits) -> None:
    unpacked = sum(folder.size for folder in header.folders)
    check_total(unpacked, limits)
    check_ratio(unpacked, sum(folder.packed for folder in header.folders), limits)
    for folder in header.folders:
        opened(folder.coders, folder.size)  # refused before a byte is given out


def _streams(file: BinaryIO, header: Header) -> Iterator[tuple[FolderReader, Stream]]:
    for folder in header.folders:
        reader = _reader(file, folder)
        for stream in folder.streams:
            yield reader, stream


def _reader(file: BinaryIO, folder: Folder) -> FolderReader:
    return FolderReader(file, folder.start, folder.packed, opened(folder.coders, folder.size))


def _checked(each: File, reader: FolderReader, stream: Stream) -> Iterator[bytes]:
    actual = 0
    for piece in reader.pieces(stream.size):
        actual = zlib.crc32(piece, actual)
        yield piece
    if stream.crc is not None and actual != stream.crc:
        raise ArchiveError(
            "corrupt_archive",
            f"The checksum (CRC-32) of {shown(each.name)} in the 7z does not match its data. "
            "Pack the archive again and upload it anew.",
        )


def _tar_header(each: File, size: int, limits: Limits) -> bytes:
    name = fitted(each.name, each.name.encode("utf-8", "replace"), limits).rstrip("/")
    info = tarfile.TarInfo(name)
    info.size, info.type = size, _TYPES.get(each.kind, tarfile.REGTYPE)
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "replace")
