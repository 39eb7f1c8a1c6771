"""The flight record: which items are being inferred at this moment.

It is kept where a crash of the process cannot take it along.

A small memory-mapped file, written before an item is touched and cleared afterwards; the kernel
keeps what was written when the process dies. Who buries the process (`aftermath`) reads
it: those items are the suspects, and each is then run alone. It costs about a microsecond an
item.

It begins with the time at which the process last said that it lives, on the clock that all
processes of a machine share. The launcher ends one that has fallen silent: code that never gives
the interpreter back silences the keeper too.
"""

import mmap
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobs.queue.quarantine import Suspect

_BEAT = struct.Struct("<d")
# Shard, first index, number of items; a place whose number is 0 is free.
_PLACE = struct.Struct("<QQQ")
# More than chunks of all lanes' batches can ever be at once.
_PLACES = 4096


class FlightRecord:
    """Writes down what is in flight; safe to share between threads."""

    def __init__(self, path: Path) -> None:
        with path.open("wb") as file:
            file.truncate(_BEAT.size + _PLACES * _PLACE.size)
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self._free = list(range(_PLACES))
        self._lock = threading.Lock()

    def beat(self) -> None:
        """Say that this process lives."""
        _BEAT.pack_into(self._map, 0, time.monotonic())

    @contextmanager
    def flying(self, *items: Suspect) -> Iterator[None]:
        """Note items while the block runs."""
        with self._lock:
            places = [self._free.pop() for _ in items]
        for place, item in zip(places, items, strict=True):
            _PLACE.pack_into(self._map, _BEAT.size + place * _PLACE.size, *item)
        try:
            yield
        finally:
            for place in places:
                _PLACE.pack_into(self._map, _BEAT.size + place * _PLACE.size, 0, 0, 0)
            with self._lock:
                self._free += places

    def close(self) -> None:
        """Close the file."""
        self._map.close()


def read_suspects(path: Path) -> list[Suspect]:
    """Read what was in flight when the last process with this record died."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    places = data[_BEAT.size :]
    whole = len(places) - len(places) % _PLACE.size
    return [Suspect(*place) for place in _PLACE.iter_unpack(places[:whole]) if place[2]]


def read_beat(path: Path) -> float:
    """Read when the process of this record last said that it lives; 0.0 when it never did."""
    try:
        data = path.read_bytes()[: _BEAT.size]
    except FileNotFoundError:
        return 0.0
    return float(_BEAT.unpack(data)[0]) if len(data) == _BEAT.size else 0.0
