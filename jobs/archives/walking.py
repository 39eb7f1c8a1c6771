"""One door to every archive: what is walked as it lies, and what is expanded to a tar first."""

from collections.abc import Callable, Iterator
from typing import BinaryIO

from jobs.archives.gzip import expand_gzip
from jobs.archives.magic import ArchiveKind
from jobs.archives.members import ArchiveError, Limits, Member, Skipped
from jobs.archives.seven_zip import expand_7z
from jobs.archives.streams import expand_stream
from jobs.archives.tar import walk_tar
from jobs.archives.zip import walk_zip

# What is known by its first bytes and not read, by the name that people know it by.
_REFUSED: dict[ArchiveKind, str] = {
    "rar": "RAR",
    "lzip": "lzip (.lz)",
    "lzma": "LZMA (.lzma)",
    "compress": "compress (.Z)",
    "cabinet": "Windows cabinet (.cab)",
}


def silent() -> None:
    """Do nothing: the beat of who needs none."""


def walk(
    kind: ArchiveKind, file: BinaryIO, limits: Limits, beat: Callable[[], None] = silent
) -> Iterator[Member | Skipped]:
    """Give every file of a "zip" or "tar": what becomes an item, and what does not and why.

    `file` has `read` and `seek` and may be remote. `beat` is called while headers are read, every
    thousand at least, also where nothing comes of them.

    Raises ArchiveError when the archive as a whole is broken, over a limit or no archive.
    """
    if kind == "zip":
        return walk_zip(file, limits, beat)
    if kind == "tar":
        return walk_tar(file, limits, beat)
    raise ValueError(f"{kind!r} is not walked as it lies: expand it first.")


def expand(
    kind: ArchiveKind, file: BinaryIO, limits: Limits, beat: Callable[[], None] = silent
) -> Iterator[bytes]:
    """Give the plain tar stream that a compressed archive holds, in bounded memory.

    A 7z is rewritten as a tar, file by file. What comes of the other kinds is a tar only if one
    was packed: `sniff` it. `beat` is called for every piece that is read.

    Raises ArchiveError: `archive_too_large` past a limit; `corrupt_archive`; `unsupported_archive`
    for a kind that nothing here reads, named.
    """
    if kind == "gzip":
        return expand_gzip(file, limits, beat)
    if kind == "7z":
        return expand_7z(file, limits, beat)
    if kind in ("bzip2", "xz", "zstd", "lz4"):
        return expand_stream(kind, file, limits, beat)
    if kind in _REFUSED:
        raise ArchiveError(
            "unsupported_archive",
            f"This is a {_REFUSED[kind]} archive, which is not read. "
            "Pack the files as zip, tar, tar.gz, tar.bz2, tar.xz, tar.zst or 7z.",
        )
    raise ValueError(f"{kind!r} is no compressed archive.")
