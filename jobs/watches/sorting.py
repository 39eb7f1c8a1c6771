"""A listing in the order of its addresses, however it came: sorted runs on disk, merged when read.

Stores list by the bytes of keys, a folder of the server name by name within each folder, and
neither is the order in which what was seen is kept. A run is held in memory until it is full.
"""

import gzip
import heapq
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from operator import itemgetter
from types import TracebackType
from typing import IO, Any, Self, cast

import orjson

from jobs.watches.arrivals import Listed

_by_address = itemgetter(0)


class Sorted:
    """A listing that can be read again and again in order, each address once; a context manager."""

    def __init__(self, listed: Iterable[Listed], run: int) -> None:
        self._files = ExitStack()
        self._runs: list[IO[bytes]] = []
        self._last: list[Listed] = []
        # Objects that are held in memory: 50,000 are some ten megabytes.
        self._listed, self._run = listed, run

    def __enter__(self) -> Self:
        """Read the listing to its end; raises what it raises."""
        with self._files:
            for each in self._listed:
                if len(self._last) == self._run:
                    self._spill()
                self._last.append(each)
            self._last.sort(key=_by_address)
            self._files = self._files.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the disk back."""
        self._files.close()

    def __iter__(self) -> Iterator[Listed]:
        """Give the objects in the order of their addresses; one reader at a time."""
        runs = [_read(file) for file in self._runs]
        before = ""
        for each in heapq.merge(*runs, self._last, key=_by_address):
            # A store may show an object on two pages; the first one counts.
            if each.address != before:
                yield each
            before = each.address

    def _spill(self) -> None:
        self._last.sort(key=_by_address)
        file = tempfile.TemporaryFile()  # noqa: SIM115  # open as long as the listing is
        self._files.callback(file.close)
        with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1) as packed:
            packed.writelines(orjson.dumps(each, default=list) + b"\n" for each in self._last)
        self._runs.append(cast("IO[bytes]", file))
        self._last = []


def _read(file: Any) -> Iterator[Listed]:
    file.seek(0)
    with gzip.GzipFile(fileobj=file) as lines:
        for line in lines:
            yield Listed(*orjson.loads(line))
