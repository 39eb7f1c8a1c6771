"""Merges chunks of any shards and jobs into batches, and runs them in the lanes of one device.

A batch takes chunks of one key (workers.engine.reading.chunk) until it has the network's
`max_batch` samples, until nothing more is being decoded, or until the first chunk has waited a few
milliseconds; longer only while another lane computes a batch of its key, for what comes meanwhile
makes the next one larger. Keys take turns by the age of their oldest chunk, so that no model keeps
another waiting.

A light network computes with one core, in as many lanes at a time as there are full batches: then
all cores are in use, and no threads of one operation wait for each other on cores that are busy
decoding. A heavy one computes with all cores and alone, for its samples are decoded in no time and
its feature maps are large; so does whatever has not been measured yet. On a GPU each lane is a
stream, and none is heavy: while one computes, the next batch is stacked and copied.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

from models.records.bounds import HEAVY_S
from models.runtime.network import Network
from models.tasks.task import Outputs
from workers.engine.device.networks import OUT_OF_MEMORY, infer
from workers.engine.holding.flight import FlightRecord
from workers.engine.reading.chunk import Chunk, Piece, note_batch

Key = tuple[str, str]
Given = TypeVar("Given")

# Stands for a batch where a lane warms networks up or tries them, which it does alone.
_ASIDE: Key = ("", "")

# Parameters are a caller's, and may be others with every job.
_REMEMBERED_KEYS = 1000
# Between two looks of who waits for an answer whether batches come to their end at all.
_LOOK_S = 1.0


class Batcher:
    """The lanes of a device, each a thread, and the chunks that wait for them."""

    def __init__(
        self,
        wait_s: float,
        flight: FlightRecord,
        cores: int = 1,
        use_cores: Callable[[int], None] = lambda _: None,
        lanes: int = 1,
        begin_lane: Callable[[], object] = lambda: None,
        tell: Callable[[Network, int, float, float], object] = lambda *_: None,
    ) -> None:
        """Start the lanes; each calls `begin_lane` in its thread first.

        `tell` is told of every batch: its network, its samples, how long the first of them had
        waited, and for how long it was computed.

        `cores` are what a heavy network computes with; with one, none is heavy. Raises what
        `begin_lane` raises.
        """
        self._wait_s, self._flight = wait_s, flight
        self._cores, self._use_cores, self._begin_lane = cores, use_cores, begin_lane
        self._tell = tell
        # Seconds of a core that one sample of each key takes.
        self._core_s: dict[Key, float] = {}
        self._waiting: dict[Key, deque[Chunk]] = {}
        self._since: dict[Key, float] = {}
        self._coming = 0
        # The keys of the batches that lanes have taken and not finished.
        self._computing: list[Key] = []
        # New networks, and who waits until they are warm.
        self._aside: list[tuple[Callable[[], Any], Future[Any]]] = []
        self._closed = False
        # How many batches came to their end.
        self._finished = 0
        # Keys of which one sample did not fit into the memory beside other batches.
        self._large: set[Key] = set()
        # Only the lane that puts a batch together waits for changes; the others wait for it.
        self._changed, self._gathering = threading.Condition(), threading.Lock()
        begun: list[Future[None]] = [Future() for _ in range(lanes)]
        self._lanes = [
            threading.Thread(target=self._run, args=(each,), name=f"lane-{number}", daemon=True)
            for number, each in enumerate(begun)
        ]
        for lane in self._lanes:
            lane.start()
        for each in begun:
            each.result()

    def warm_up(self, network: Network) -> None:
        """Warm a network up between two batches; raises what that raises."""
        self.aside(network.warm_up)

    def aside(self, work: Callable[[], Given]) -> Given:
        """Run something of a network's between two batches; gives or raises what that does."""
        done: Future[Given] = Future()
        with self._changed:
            self._aside.append((work, done))
            self._changed.notify()
        return done.result()

    def announce(self) -> None:
        """Say that a chunk is being decoded and will be put; a batch may wait for it."""
        with self._changed:
            self._coming += 1

    def withdraw(self) -> None:
        """Say that an announced chunk will not come after all."""
        with self._changed:
            self._coming -= 1
            self._changed.notify()

    def put(self, chunk: Chunk) -> "Future[list[Piece]]":
        """Queue an announced chunk that has at least one sample; its `pieces` come later."""
        chunk.put_at = time.monotonic()
        with self._changed:
            self._coming -= 1
            self._waiting.setdefault(chunk.key, deque()).append(chunk)
            self._since.setdefault(chunk.key, time.monotonic())
            self._changed.notify()
        return chunk.pieces

    def answer(self, chunk: Chunk, moved: Callable[[], object]) -> list[Piece]:
        """Wait for the pieces of a chunk that was put; raises CancelledError when it was not run.

        `moved` is called as long as batches that go before it come to their end.
        """
        finished = self._finished
        while True:
            try:
                return chunk.pieces.result(_LOOK_S)
            except TimeoutError:
                if chunk.pieces.done():
                    return chunk.pieces.result()
                if finished != self._finished:
                    finished = self._finished
                    moved()

    def close(self) -> None:
        """Run what waits, then end the lanes."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        for lane in self._lanes:
            lane.join()

    def _run(self, begun: "Future[None]") -> None:
        try:
            self._begin_lane()
        except Exception as err:
            begun.set_exception(err)
            return
        begun.set_result(None)
        while (batch := self._next_batch()) is not None:
            key = batch[0].key if batch else _ASIDE
            if batch:
                self._compute(batch)
            else:
                self._run_aside()
            # While this thread waits for the next, it would keep its network in memory.
            del batch
            with self._changed:
                self._computing.remove(key)
                self._finished += 1
                self._changed.notify()

    def _compute(self, taken: list[Chunk]) -> None:
        batch = [chunk for chunk in taken if not chunk.drop_if_stopped()]
        try:
            if batch:
                with self._flight.flying(*[each for chunk in batch for each in chunk.suspects()]):
                    self._run_batch(batch)
        except Exception as err:
            # A fault of ours must reach the shards: they wait for nothing else.
            for chunk in batch:
                if not chunk.pieces.done():
                    chunk.pieces.set_exception(err)

    def _next_batch(self) -> list[Chunk] | None:
        """Wait for a batch, empty when a network is to be warmed up; None once closed and empty."""
        with self._gathering, self._changed:
            while not (self._aside and not self._computing):
                now, keys = time.monotonic(), list(self._oldest_with_room())
                for key in keys:
                    if self._is_ripe(key, now):
                        return self._take(key)
                if self._closed and not (self._waiting or self._aside):
                    return None
                due = (self._due(key) for key in keys if key not in self._computing)
                left = min(due, default=math.inf) - now
                self._changed.wait(left if left < math.inf else None)
            self._computing.append(_ASIDE)
            return []

    def _oldest_with_room(self) -> Iterator[Key]:
        """Give the keys whose batch may begin, oldest first."""
        if self._aside:
            return
        for key in sorted(self._since, key=self._since.__getitem__):
            if self._computing and any(map(self._is_alone, (key, *self._computing))):
                # Nor may those that came later: a heavy one would never find the lanes empty.
                return
            yield key

    def _is_ripe(self, key: Key, now: float) -> bool:
        """Say whether a batch need not wait for more."""
        if self._closed or not self._coming:
            return True
        size = sum(len(chunk.samples) for chunk in self._waiting[key])
        if size >= self._waiting[key][0].network.record.max_batch:
            return True
        return key not in self._computing and now >= self._due(key)

    def _due(self, key: Key) -> float:
        return self._since[key] + self._wait_s

    def _is_alone(self, key: Key) -> bool:
        """Say whether nothing may be computed beside it: it is heavy or large, or may be."""
        if key == _ASIDE or key in self._large:
            return True
        return self._cores > 1 and self._core_s.get(key, HEAVY_S) >= HEAVY_S

    def _run_aside(self) -> None:
        with self._changed:
            new, self._aside = self._aside, []
        for work, done in new:
            self._use_cores(self._cores)
            try:
                done.set_result(work())
            except Exception as err:
                done.set_exception(err)

    def _take(self, key: Key) -> list[Chunk]:
        queue = self._waiting[key]
        limit = queue[0].network.record.max_batch
        batch = [queue.popleft()]
        size = len(batch[0].samples)
        while queue and size + len(queue[0].samples) <= limit:
            batch.append(queue.popleft())
            size += len(batch[-1].samples)
        self._computing.append(key)
        batch[0].waited_s = time.monotonic() - self._since.pop(key)
        if queue:
            self._since[key] = time.monotonic()
        else:
            del self._waiting[key]
        return batch

    def _run_batch(self, batch: list[Chunk]) -> None:
        key = batch[0].key
        samples = [sample for chunk in batch for sample in chunk.samples]
        network = batch[0].network
        is_heavy = self._core_s.get(key, 0.0) >= HEAVY_S
        cores = network.own_cores or (self._cores if is_heavy else 1)
        self._use_cores(cores)
        start, computing = time.perf_counter(), time.thread_time()
        pieces = infer(network, samples)
        seconds = time.perf_counter() - start
        self._tell(network, len(samples), batch[0].waited_s, seconds)
        note_batch(batch, seconds)
        if network.own_cores is None:
            # Nothing but computing counts, however busy the cores are.
            self._learn(key, (time.thread_time() - computing) * cores / len(samples))
        else:
            self._learn(key, 0.0 if network.own_cores == 1 else HEAVY_S)
        again: list[Chunk] = []
        for chunk in batch:
            mine, pieces = _split(pieces, len(chunk.samples))
            if self._may_fit_alone(chunk, mine):
                again.append(chunk)
                continue
            chunk.device_s += seconds * len(chunk.samples) / len(samples)
            chunk.pieces.set_result(mine)
        if again:
            self._put_back(again)

    def _may_fit_alone(self, chunk: Chunk, pieces: list[Piece]) -> bool:
        """Say whether a sample lacked memory that may have been another lane's."""
        lacked = any(each.error and each.error.code == OUT_OF_MEMORY for each in pieces)
        return lacked and len(self._lanes) > 1 and not chunk.was_put_back

    def _put_back(self, chunks: list[Chunk]) -> None:
        """Compute chunks of one key once more, and all of that key alone from now on."""
        key = chunks[0].key
        for chunk in chunks:
            chunk.was_put_back = True
        with self._changed:
            if len(self._large) >= _REMEMBERED_KEYS:
                self._large.clear()
            self._large.add(key)
            self._waiting.setdefault(key, deque()).extendleft(reversed(chunks))
            self._since.setdefault(key, time.monotonic())

    def _learn(self, key: Key, core_s: float) -> None:
        with self._changed:
            # The least of all batches: the first of each size pays for its set-up.
            self._core_s[key] = min(core_s, self._core_s.get(key, core_s))
            if len(self._core_s) > _REMEMBERED_KEYS:
                del self._core_s[next(iter(self._core_s))]


def _split(pieces: list[Piece], count: int) -> tuple[list[Piece], list[Piece]]:
    """Cut the first `count` samples off a list of pieces."""
    mine: list[Piece] = []
    rest = deque(pieces)
    while count:
        piece = rest.popleft()
        if piece.count > count:
            left = _part(piece.outputs, count, None)
            rest.appendleft(Piece(piece.count - count, left, piece.error))
            piece = Piece(count, _part(piece.outputs, 0, count), piece.error)
        mine.append(piece)
        count -= piece.count
    return mine, list(rest)


def _part(outputs: Outputs | None, start: int, stop: int | None) -> Outputs | None:
    return None if outputs is None else outputs[start:stop]
