"""Thumbnails of one shard: made of pixels that are decoded anyway, kept in a file, then stored.

Whatever goes wrong with one costs the small picture, and never the result.
"""

import tempfile
from collections.abc import Mapping
from typing import BinaryIO

import structlog

from jobs.base.storage import Storage, thumbnails_name
from jobs.results.thumbnails import Place, write_thumbnails

log = structlog.get_logger(__name__)

# One item's picture has some kilobytes; so many can be none of ours.
_MOST_BYTES = 256 * 1024


class Thumbnails:
    """The small pictures of one attempt at a shard of `count` items from `first` on."""

    def __init__(self, first: int, count: int) -> None:
        self._first, self._count = first, count
        self._places: dict[int, Place] = {}
        self._file: BinaryIO | None = None
        self._end = 0
        # Whether pictures are missing because there was no room for them.
        self.is_given_up = False

    def add(self, pictures: Mapping[int, bytes]) -> None:
        """Keep pictures, JPEG files by the index of their items; the latest of an item counts."""
        if self.is_given_up:
            return
        try:
            for index, picture in pictures.items():
                self._places.pop(index - self._first, None)
                if 0 < len(picture) <= _MOST_BYTES:
                    self._opened().write(picture)
                    self._places[index - self._first] = (self._end, len(picture))
                    self._end += len(picture)
        except OSError as err:
            log.warning("thumbnails_given_up", reason=str(err))
            self.is_given_up = True
            self._places.clear()

    def store(self, storage: Storage, segment: str) -> None:
        """Write the blob beside a segment, if there is any picture."""
        if self._places:
            self.write(storage, thumbnails_name(segment))

    def write(self, storage: Storage, name: str) -> None:
        """Write the blob under a name."""
        write_thumbnails(storage, name, self._count, self._places, self._opened())

    def close(self) -> None:
        """Let the file go."""
        if self._file is not None:
            self._file.close()

    def _opened(self) -> BinaryIO:
        """Give the file; it has no name and goes with the process, however that ends."""
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the shard's run
        return self._file
