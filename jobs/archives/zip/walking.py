"""Zip: the directory is walked twice, to judge the whole archive and then to give its members."""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from jobs.archives.compression import METHODS, method_name
from jobs.archives.members import (
    ErrorCode,
    Limits,
    Member,
    Skipped,
    SkipReason,
    check_count,
    check_ratio,
    check_total,
    corrupt,
)
from jobs.archives.names import label, shown
from jobs.archives.selection import is_not_media, is_system_file
from jobs.archives.zip.directory import Directory, Entry, entries, find_directory

_ENCRYPTED = 0x0001 | 0x0040 | 0x2000  # plain, strong, hidden directory (APPNOTE 4.4.4)
_AES = 99
# The local header's name and extra field, 64 KiB each at most, and the descriptor: what a member
# can take beyond `Entry.least`. Keeps a read small where a gap lies before the next header.
_SLACK = 2 * 0xFFFF + 24

# By their number, which is kept for every entry between the two walks: a byte.
_REASONS: tuple[SkipReason | None, ...] = (None, "symlink", "device", "system_file", "not_media")


def walk_zip(
    file: BinaryIO, limits: Limits, beat: Callable[[], None] = lambda: None
) -> Iterator[Member | Skipped]:
    """The files of a zip, in the order of its directory. `file` must be seekable.

    The whole archive is judged before the first member leaves. A member that is encrypted, or
    compressed as nothing here reads it, carries that as its fault. Memory: 9 bytes an entry while
    walking, some 50 while judging.

    Raises ArchiveError: `corrupt_archive` for a missing or broken directory and for members that
    overlap; `archive_too_large` past a limit; `unsupported_archive` for split archives.
    """
    directory = find_directory(file)
    totals = _Totals(limits)
    lengths = _lengths(_judged(file, directory, limits, totals, beat), directory)
    totals.judge()
    found = zip(entries(file, directory, beat), lengths.data, totals.reasons, strict=True)
    for entry, length, number in found:
        if entry.kind == "folder":
            continue
        name = _name(entry, limits)
        reason = _REASONS[number]
        if reason and (reason != "not_media" or totals.has_media):
            yield Skipped(name, reason)
        else:
            yield Member(name, entry.offset, length, entry.size, "zip", _fault(entry))


def _name(entry: Entry, limits: Limits) -> str:
    return label(entry.name, "cp437", entry.number, limits)


def _reason(entry: Entry, name: str) -> SkipReason | None:
    if entry.kind == "symlink" or entry.kind == "device":
        return entry.kind
    if is_system_file(name):
        return "system_file"
    return "not_media" if is_not_media(name) else None


def _fault(entry: Entry) -> tuple[ErrorCode, str] | None:
    if entry.flags & _ENCRYPTED or entry.method == _AES:
        text = "This member of the zip is encrypted. Pack the archive again without a password."
        return "unsupported_archive", text
    if entry.method in METHODS:
        return None
    text = (
        f"This member of the zip is compressed with {method_name(entry.method)}, which is not "
        "read. Pack the archive again with store or deflate."
    )
    return "unsupported_archive", text


class _Totals:
    """Bytes of what becomes items and can be read: of media, or of all where there are none."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.has_media = False
        self.reasons = bytearray()
        self._sums = {True: [0, 0], False: [0, 0]}  # media or not: unpacked, packed

    def add(self, entry: Entry) -> None:
        name = _name(entry, self._limits)
        reason = _reason(entry, name)
        self.reasons.append(_REASONS.index(reason))
        if entry.kind != "file" or reason == "system_file":
            return
        self.has_media |= reason is None
        if _fault(entry) is None:
            sums = self._sums[reason is None]
            sums[0] += entry.size
            sums[1] += entry.packed
            check_total(sums[0], self._limits)

    def judge(self) -> None:
        unpacked, packed = self._sums[self.has_media]
        check_ratio(unpacked, packed, self._limits)


def _judged(
    file: BinaryIO, directory: Directory, limits: Limits, totals: _Totals, beat: Callable[[], None]
) -> Iterator[tuple[int, int]]:
    """First byte and least length of every entry, once each is found sound."""
    for entry in entries(file, directory, beat):
        check_count(entry.number, limits)
        if not 0 <= entry.offset <= directory.start - entry.least:
            name = shown(_name(entry, limits))
            corrupt(f"{name}, at byte {entry.offset:,}, does not lie within the zip")
        totals.add(entry)
        yield entry.offset, entry.least


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
