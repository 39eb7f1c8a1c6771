"""Ranges that lie next to each other, read in large runs: a request for each 8 MiB.

They lie in blobs, or in archives in buckets (workers.engine.reading.places).
The small members of an archive are many to a run. A chunk asks for its own ranges; what comes after
them in the shard comes along, and is held until the next run is asked for.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from jobs.base.storage import CHUNK
from jobs.inputs.manifests import Item
from workers.engine.holding.requester import Requester
from workers.engine.reading.places import Place, place_of

# Between two ranges of a run, such as a member's header and padding, or a file that is no item.
_MOST_BETWEEN = 256 * 1024
_READ = frozenset(("raw", "zip", "sparse"))

# Reads ranges of one place: their beginnings and lengths, and for whom (`Places.ranges`).
Ranges = Callable[[Place, Sequence[int], Sequence[int], Requester], list[memoryview]]


@dataclass(frozen=True, slots=True, order=True)
class _Run:
    """Bytes of one place, from `start` to `end`."""

    place: Place
    start: int
    end: int


class ReadAhead:
    """Reads the ranges of one shard's items; one thread uses it."""

    def __init__(self, read: Ranges, items: Iterable[Item]) -> None:
        self._read_ranges = read
        self._runs = sorted(_runs_of(items))
        self._held: tuple[_Run, memoryview] | None = None

    def ranges(
        self, place: Place, starts: Sequence[int], lengths: Sequence[int], requester: Requester
    ) -> list[memoryview]:
        """Give ranges of a place, as `Places.ranges` does; raises what it raises."""
        found = [memoryview(b"")] * len(starts)
        alone = []
        for number, (start, length) in enumerate(zip(starts, lengths, strict=True)):
            run = self._run_with(_Run(place, start, start + length))
            if run is None:
                alone.append(number)
            else:
                first = start - run.start
                found[number] = self._read(run, requester)[first : first + length]
        if alone:
            rest = [starts[number] for number in alone], [lengths[number] for number in alone]
            parts = self._read_ranges(place, *rest, requester)
            for number, part in zip(alone, parts, strict=True):
                found[number] = part
        return found

    def _run_with(self, wanted: _Run) -> _Run | None:
        """Give the run that a range lies in, where it is one of several."""
        place = bisect_right(self._runs, (wanted.place, wanted.start), key=_beginning) - 1
        run = self._runs[place] if place >= 0 else None
        if run is None or run.place != wanted.place or run.end < wanted.end:
            return None
        return run

    def _read(self, run: _Run, requester: Requester) -> memoryview:
        if self._held is None or self._held[0] != run:
            length = run.end - run.start
            (content,) = self._read_ranges(run.place, [run.start], [length], requester)
            self._held = run, content
        return self._held[1]


def _beginning(run: _Run) -> tuple[Place, int]:
    return run.place, run.start


def _runs_of(items: Iterable[Item]) -> Iterator[_Run]:
    """Give the runs of two items and more; each ends where the next range would be too far."""
    run: _Run | None = None
    count = 0
    for item in items:
        if item.encoding not in _READ or not item.length:
            continue
        end = item.offset + item.length
        if run is not None and _continues(run, item, end):
            run, count = _Run(run.place, run.start, end), count + 1
            continue
        if run is not None and count > 1:
            yield run
        run, count = _Run(place_of(item), item.offset, end), 1
    if run is not None and count > 1:
        yield run


def _continues(run: _Run, item: Item, end: int) -> bool:
    follows = place_of(item) == run.place and 0 <= item.offset - run.end <= _MOST_BETWEEN
    return follows and end - run.start <= CHUNK
