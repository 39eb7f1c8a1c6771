"""Thumbnails of one shard: made of pixels that are decoded anyway, kept in a file, then stored.

Whatever goes wrong with one costs the small picture, and never the result.
"""

import tempfile
from collections.abc import Mapping
from typing import BinaryIO

from jobs.base.storage import Storage
from jobs.results.thumbnails import Place, write_thumbnails

# One item's picture has some kilobytes; so many can be none of ours.
_MOST_BYTES = 256 * 1024


class Thumbnails:
    """The small pictures of one attempt at a shard of `count` items from `first` on."""

    def __init__(self, first: int, count: int) -> None:
        self._first, self._count = first, count
        self._places: dict[int, Place] = {}
        self._file: BinaryIO | None = None
        self._end = 0

    def add(self, pictures: Mapping[int, bytes]) -> None:
        """Keep pictures, JPEG files by the index of their items; the latest of an item counts."""
        for index, picture in pictures.items():
            if 0 < len(picture) <= _MOST_BYTES:
                self._places[index - self._first] = (self._end, len(picture))
                self._opened().write(picture)
                self._end += len(picture)

    def store(self, storage: Storage, segment: str) -> None:
        """Write the blob beside a segment, if there is any picture."""
        if self._places:
            write_thumbnails(storage, segment, self._count, self._places, self._opened())

    def close(self) -> None:
        """Let the file go."""
        if self._file is not None:
            self._file.close()

    def _opened(self) -> BinaryIO:
        """Give the file; it has no name and goes with the process, however that ends."""
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the shard's run
        return self._file
