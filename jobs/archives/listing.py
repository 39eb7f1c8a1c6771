"""What a tar holds, remembered in little memory until the whole of it has been seen.

Only at a tar's end is it known which files a later one replaces, and whether anything in it may be
a picture. Its headers are read once: reading them again would fetch most of a remote tar twice.
Memory: 25 bytes a file as numbers, and names and metadata compressed, some 10 bytes a name.
"""

import marshal
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jobs.archives.members import ArchiveError, Limits, SkipReason

# Names that are compressed together.
_CHUNK = 1000
_NOWHERE = -1
_ALL_BITS = 2**64 - 1


class Place(NamedTuple):
    """Where a file's bytes lie."""

    offset: int
    length: int
    size: int
    is_sparse: bool


class Record(NamedTuple):
    """What is told of one entry, in the archive's order."""

    name: str
    reason: SkipReason | None
    metadata: str | None
    file: int | None  # its number among the files; None for what has no bytes of its own


class Listing:
    """Records in order, and the places of the files among them."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._hashes, self._offsets, self._sizes = array("Q"), array("q"), array("q")
        self._sparse, self._sparse_lengths = array("q"), array("q")
        self._links, self._targets = array("q"), array("Q")
        self._chunk: list[tuple[object, ...]] = []
        self._packed: list[bytes] = []
        self._packed_bytes = 0

    def add_file(self, path: bytes, place: Place) -> int:
        """Note a file by its path in the archive; gives its number."""
        return self._add(path, place)

    def add_link(self, path: bytes, target: bytes) -> int:
        """Note a hard link to an earlier file; gives its number."""
        self._links.append(len(self._hashes))
        self._targets.append(_hash(target))
        return self._add(path, Place(_NOWHERE, 0, 0, is_sparse=False))

    def add(
        self, name: str, reason: SkipReason | None, metadata: str | None, file: int | None
    ) -> None:
        """Note a record; raises ArchiveError when that becomes too much to hold."""
        self._chunk.append((name, reason, metadata, file))
        if len(self._chunk) == _CHUNK:
            self._packed.append(zlib.compress(marshal.dumps(self._chunk), 1))
            self._chunk = []
            self._packed_bytes += len(self._packed[-1])
            if self._packed_bytes > self._limits.max_listing_bytes:
                raise ArchiveError(
                    "archive_too_large",
                    "The names and metadata in the tar take more than "
                    f"{self._limits.max_listing_bytes:,} bytes, compressed. "
                    "Split it into several archives.",
                )

    def records(self) -> Iterator[Record]:
        """Give what was noted, in order, and forget it on the way."""
        self._packed.reverse()
        while self._packed:
            # Packed by ourselves, in this process: no bytes of a stranger's.
            for fields in marshal.loads(zlib.decompress(self._packed.pop())):  # noqa: S302
                yield Record(*fields)
        for fields in self._chunk:
            yield Record(*fields)  # type: ignore[arg-type]  # as they were noted

    def place(self, file: int) -> Place | None:
        """Where a file's bytes lie; None for a hard link to nothing."""
        offset, size = self._offsets[file], self._sizes[file]
        if offset == _NOWHERE:
            return None
        if offset < _NOWHERE:
            at = bisect_left(self._sparse, -offset - 2)
            return Place(-offset - 2, self._sparse_lengths[at], size, is_sparse=True)
        return Place(offset, size, size, is_sparse=False)

    def resolve(self, beat: Callable[[], None]) -> tuple[npt.NDArray[np.bool_], int]:
        """Point hard links at the bytes of the last file of that name before them.

        Gives which files a later one of the same path replaces, and the bytes of all links.
        """
        hashes = np.frombuffer(self._hashes, np.uint64)
        order = np.argsort(hashes, kind="stable")
        ordered = hashes[order]
        replaced = np.zeros(len(hashes), np.bool_)
        replaced[order[:-1][ordered[1:] == ordered[:-1]]] = True
        linked = 0
        first = np.searchsorted(ordered, np.frombuffer(self._targets, np.uint64), "left")
        last = np.searchsorted(ordered, np.frombuffer(self._targets, np.uint64), "right")
        for number, link in enumerate(self._links):
            if number % _CHUNK == 0:
                beat()
            low, high = int(first[number]), int(last[number])
            before = low + int(np.searchsorted(order[low:high], link))
            if before > low:
                target = int(order[before - 1])
                self._offsets[link] = self._offsets[target]
                self._sizes[link] = self._sizes[target]
                linked += max(self._sizes[link], 0)
        return replaced, linked

    def _add(self, path: bytes, place: Place) -> int:
        self._hashes.append(_hash(path))
        # Sparse files are few: their offsets are kept below zero, their lengths apart.
        self._offsets.append(-place.offset - 2 if place.is_sparse else place.offset)
        self._sizes.append(place.size)
        if place.is_sparse:
            self._sparse.append(place.offset)
            self._sparse_lengths.append(place.length)
        return len(self._hashes) - 1


def _hash(path: bytes) -> int:
    """64 bits of a path, as Python hashes bytes: whoever forced two to meet would fool himself."""
    if path.startswith((b"/", b"./")) or b"//" in path or b"/./" in path:
        path = b"/".join(part for part in path.split(b"/") if part not in (b"", b"."))
    return hash(path) & _ALL_BITS
