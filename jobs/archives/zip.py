"""Zip: the directory is walked twice, to judge the whole archive and then to give its members."""

from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from jobs.archives.members import (
    ArchiveError,
    Limits,
    Member,
    check_count,
    check_ratio,
    check_total,
    is_dropping,
    shown,
)
from jobs.archives.zip_directory import Directory, Entry, corrupt, entries, find_directory

_ENCRYPTED = 0x0001 | 0x0040 | 0x2000  # plain, strong, hidden directory (APPNOTE 4.4.4)
_METHODS = (0, 8)  # store, deflate
_REFUSED_METHODS = {
    1: "shrink",
    6: "implode",
    9: "deflate64",
    12: "bzip2",
    14: "LZMA",
    93: "Zstandard",
    95: "XZ",
    98: "PPMd",
    99: "AES encryption",
}
# The local header's name and extra field, 64 KiB each at most, and the descriptor: what a member
# can take beyond `Entry.least`. Keeps a read small where a gap lies before the next header.
_SLACK = 2 * 0xFFFF + 24


def walk_zip(file: BinaryIO, limits: Limits) -> Iterator[Member]:
    """The regular members of a zip, in the order of its directory. `file` must be seekable.

    The whole archive is judged before the first member leaves. Memory: 8 bytes an entry while
    walking, some 50 while judging.

    Raises ArchiveError: `corrupt_archive` for a missing or broken directory and for members that
    overlap; `archive_too_large` past a limit; `unsupported_archive` for encryption, split
    archives, and methods other than store and deflate.
    """
    directory = find_directory(file)
    lengths = _lengths(_judged(file, directory, limits), directory)
    for entry, length in zip(entries(file, directory), lengths.data, strict=True):
        name = entry.name
        if entry.regular and not is_dropping(name):
            yield Member(name, entry.offset, length, entry.size, "zip")


def _judged(file: BinaryIO, directory: Directory, limits: Limits) -> Iterator[tuple[int, int]]:
    """First byte and least length of every entry, once each is found sound."""
    unpacked = packed = 0
    for count, entry in enumerate(entries(file, directory), start=1):
        check_count(count, limits)
        if not 0 <= entry.offset <= directory.start - entry.least:
            corrupt(f"{shown(entry.name)}, at byte {entry.offset:,}, does not lie within the zip")
        _check_readable(entry)
        unpacked += entry.size
        packed += entry.packed
        check_total(unpacked, limits)
        yield entry.offset, entry.least
    check_ratio(unpacked, packed, limits)


def _check_readable(entry: Entry) -> None:
    readable = entry.method in _METHODS and not entry.flags & _ENCRYPTED
    if readable or not entry.regular or is_dropping(entry.name):
        return
    if entry.flags & _ENCRYPTED:
        fault = "is encrypted. Pack the archive again without a password."
    else:
        method = _REFUSED_METHODS.get(entry.method, f"method {entry.method}")
        fault = f"is compressed with {method}. Pack the archive again with store or deflate."
    raise ArchiveError("unsupported_archive", f"{shown(entry.name)} in the zip {fault}")


def _lengths(judged: Iterator[tuple[int, int]], directory: Directory) -> npt.NDArray[np.int64]:
    """int64[entries]: bytes to read of each, up to the next header or the directory.

    Refuses entries that reach into the next one: the "better zip bomb" of overlapping files
    (D. Fifield, WOOT 2019), and two entries for one header.
    """
    spans = np.fromiter(chain.from_iterable(judged), dtype=np.int64).reshape(-1, 2)
    starts, least = spans[:, 0], spans[:, 1]
    order = np.argsort(starts, kind="stable")
    lengths = np.empty(len(spans), dtype=np.int64)
    lengths[order] = np.diff(starts[order], append=directory.start)
    overlapping = np.flatnonzero(lengths < least)
    if len(overlapping):
        corrupt(
            f"{len(overlapping):,} members of the zip overlap the next one, the first of them at "
            f"byte {starts[overlapping[0]]:,}"
        )
    return np.minimum(lengths, least + _SLACK)
