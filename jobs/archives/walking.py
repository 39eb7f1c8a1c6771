"""One door to every archive: what is walked as it lies, and what is expanded to a tar first."""

from collections.abc import Callable, Iterator
from typing import BinaryIO

from jobs.archives.gzip import expand_gzip
from jobs.archives.magic import ArchiveKind
from jobs.archives.members import ArchiveError, Limits, Member, Skipped
from jobs.archives.tar import walk_tar
from jobs.archives.zip import walk_zip


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
        yield from walk_zip(file, limits)
    elif kind == "tar":
        yield from walk_tar(file, limits)
    else:
        raise ValueError(f"{kind!r} is not walked as it lies: expand it first.")


def expand(
    kind: ArchiveKind, file: BinaryIO, limits: Limits, beat: Callable[[], None] = silent
) -> Iterator[bytes]:
    """Give the plain tar stream that a compressed archive holds, in bounded memory.

    A 7z is rewritten as a tar, file by file. `beat` is called for every piece that is read.

    Raises ArchiveError: `archive_too_large` past a limit; `corrupt_archive`; `unsupported_archive`
    for a kind that nothing here reads, named.
    """
    if kind == "gzip":
        for chunk in expand_gzip(file, limits):
            beat()
            yield chunk
    else:
        raise ArchiveError("unsupported_archive", f"A {kind} archive cannot be read.")
