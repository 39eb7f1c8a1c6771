"""Tar: its headers are read once, all of it is judged, and then its files are told in order.

headers ─► entries ─► + metadata of sidecars ─► Listing ─► links, replaced files ─► Member
"""

import os
from collections.abc import Callable, Iterator
from typing import BinaryIO

from jobs.archives.listing import Listing, Place, Record
from jobs.archives.members import (
    Encoding,
    ErrorCode,
    Limits,
    Member,
    Skipped,
    SkipReason,
    check_count,
    check_ratio,
    check_total,
)
from jobs.archives.names import label
from jobs.archives.selection import is_not_media, is_system_file
from jobs.archives.tar.headers import Entry, entries, read_at
from jobs.archives.webdataset import Listed, may_be_sidecar, with_metadata

_REASONS: dict[str, SkipReason] = {"symlink": "symlink", "device": "device"}
_SIZELESS: tuple[ErrorCode, str] = (
    "corrupt_archive",
    "The tar's header does not say how large this sparse file is. "
    "Pack the archive again and upload it anew.",
)


def walk_tar(
    file: BinaryIO, limits: Limits, beat: Callable[[], None] = lambda: None
) -> Iterator[Member | Skipped]:
    """The files of a plain tar, in its order. `file` must be seekable.

    The whole archive is judged before the first of them leaves, by its headers. Hard links are
    members with the bytes of what they link to. Of two files with one path the later counts, as
    when tar unpacks them. Tars that were joined are read to the last.

    Raises ArchiveError: `corrupt_archive` for a broken header, and for a tar without its end
    mark (a cut upload must not pass as a smaller job); `archive_too_large` past a limit.
    """
    end = file.seek(0, os.SEEK_END)
    listing, totals = Listing(limits), _Totals(limits)
    for each in with_metadata(_listed(file, end, limits, beat), limits):
        if each.reason != "system_file":
            totals.add(each)
        _note(listing, each)
    replaced, linked = listing.resolve(beat)
    totals.judge(linked, end)
    for record in listing.records():
        if record.file is None:
            yield Skipped(record.name, record.reason or "device")
        elif replaced[record.file]:
            yield Skipped(record.name, "replaced")
        elif record.reason and (record.reason != "not_media" or totals.has_media):
            yield Skipped(record.name, record.reason)
        else:
            yield _told(record, listing.place(record.file))


def _told(record: Record, place: Place | None) -> Member | Skipped:
    if place is None:
        return Skipped(record.name, "symlink")
    fault = _SIZELESS if place.size < 0 else None
    encoding: Encoding = "sparse" if place.is_sparse else "raw"
    size = max(place.size, 0)
    return Member(record.name, place.offset, place.length, size, encoding, fault, record.metadata)


def _listed(file: BinaryIO, end: int, limits: Limits, beat: Callable[[], None]) -> Iterator[Listed]:
    """Every entry but folders, by its shown name, with what may be a sidecar's bytes."""
    for count, entry in enumerate(entries(file, end, limits, beat), start=1):
        check_count(count, limits)
        if entry.kind == "folder":
            continue
        name = label(entry.name, "latin-1", count, limits)
        listed = Listed(name, entry, _reason(name, entry))
        is_small = entry.kind == "file" and entry.size <= limits.max_metadata_bytes
        if is_small and listed.reason == "not_media" and may_be_sidecar(name):
            listed.payload = read_at(file, entry.offset, entry.size, end)
        yield listed


def _reason(name: str, entry: Entry) -> SkipReason | None:
    if entry.kind in _REASONS:
        return _REASONS[entry.kind]
    if is_system_file(name):
        return "system_file"
    return "not_media" if is_not_media(name) else None


def _note(listing: Listing, each: Listed) -> None:
    entry, number = each.entry, None
    if entry.kind == "hardlink":
        number = listing.add_link(entry.name, entry.link)
    elif entry.kind in ("file", "sparse"):
        is_sparse = entry.kind == "sparse"
        number = listing.add_file(
            entry.name, Place(entry.offset, entry.length, entry.size, is_sparse)
        )
    listing.add(each.name, each.reason, each.metadata, number)


class _Totals:
    """Unpacked bytes of what becomes items: of media, or of all where there are none."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._media = self._others = 0
        self.has_media = False

    def add(self, each: Listed) -> None:
        size = max(each.entry.size, 0)
        check_total(size, self._limits)
        if each.reason is None:
            self.has_media = True
            self._media += size
            check_total(self._media, self._limits)
        else:
            self._others += size

    def judge(self, linked: int, packed: int) -> None:
        unpacked = linked + (self._media if self.has_media else self._others)
        check_total(unpacked, self._limits)
        check_ratio(unpacked, packed, self._limits)
