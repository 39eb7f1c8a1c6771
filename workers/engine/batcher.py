"""Merges chunks of any shards and jobs into batches, and runs them on one device thread.

A batch takes chunks of one key (same model version, same parameters) until it has the network's
`max_batch` samples, until nothing more is being decoded, or until the first chunk has waited a few
milliseconds. Keys take turns by the age of their oldest chunk, so that no model keeps another
waiting.

A heavy network computes with all cores, for its samples are decoded in no time. A light one gets
one core: decoding needs the others, and threads of one operation that wait for each other on busy
cores cost more than they bring.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

from models.registry import Network
from models.tasks.task import Outputs
from workers.engine.chunk import Chunk, Piece
from workers.engine.device import infer
from workers.engine.flight import FlightRecord

Key = tuple[str, str]

# Seconds of a core for one sample from which on a network is heavy: ten times what it takes to
# decode a photo.
_HEAVY_S = 0.02
# Parameters are a caller's, and may be others with every job.
_REMEMBERED_KEYS = 1000


class Batcher:
    """One device thread and the chunks that wait for it."""

    def __init__(
        self,
        wait_s: float,
        flight: FlightRecord,
        cores: int = 1,
        use_cores: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._wait_s, self._flight = wait_s, flight
        self._cores, self._use_cores = cores, use_cores
        # Seconds of a core that one sample of each key takes.
        self._core_s: dict[Key, float] = {}
        self._waiting: dict[Key, deque[Chunk]] = {}
        self._since: dict[Key, float] = {}
        self._coming = 0
        # New networks, and who waits until they are warm.
        self._cold: list[tuple[Network, Future[None]]] = []
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="device", daemon=True)
        self._thread.start()

    def warm_up(self, network: Network) -> None:
        """Warm a network up between two batches; raises what that raises."""
        warm: Future[None] = Future()
        with self._changed:
            self._cold.append((network, warm))
            self._changed.notify()
        warm.result()

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
        with self._changed:
            self._coming -= 1
            self._waiting.setdefault(chunk.key, deque()).append(chunk)
            self._since.setdefault(chunk.key, time.monotonic())
            self._changed.notify()
        return chunk.pieces

    def close(self) -> None:
        """Run what waits, then end the device thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while (taken := self._next_batch()) is not None:
            self._warm_up_new()
            batch = [chunk for chunk in taken if not chunk.drop_if_stopped()]
            if not batch:
                continue
            with self._flight.flying(*[each for chunk in batch for each in chunk.suspects()]):
                try:
                    self._run_batch(batch)
                except Exception as err:
                    # A fault of ours must reach the shards: they wait for this thread alone.
                    for chunk in batch:
                        if not chunk.pieces.done():
                            chunk.pieces.set_exception(err)
            # While this thread waits for the next, these would keep their network in memory.
            del taken, batch

    def _next_batch(self) -> list[Chunk] | None:
        """Wait for a batch, empty when a network is to be warmed up; None once closed and empty."""
        with self._changed:
            while not (self._waiting or self._cold):
                if self._closed:
                    return None
                self._changed.wait()
            if self._cold:
                return []
            key = min(self._since, key=self._since.__getitem__)
            self._await_more(key)
            return self._take(key)

    def _warm_up_new(self) -> None:
        with self._changed:
            new, self._cold = self._cold, []
        for network, warm in new:
            self._use_cores(self._cores)
            try:
                network.warm_up()
            except Exception as err:
                warm.set_exception(err)
            else:
                warm.set_result(None)

    def _await_more(self, key: Key) -> None:
        deadline = self._since[key] + self._wait_s
        limit = self._waiting[key][0].network.record.max_batch
        while not self._closed and self._coming:
            left = deadline - time.monotonic()
            if left <= 0 or sum(len(chunk.samples) for chunk in self._waiting[key]) >= limit:
                return
            self._changed.wait(left)

    def _take(self, key: Key) -> list[Chunk]:
        queue = self._waiting[key]
        limit = queue[0].network.record.max_batch
        batch = [queue.popleft()]
        size = len(batch[0].samples)
        while queue and size + len(queue[0].samples) <= limit:
            batch.append(queue.popleft())
            size += len(batch[-1].samples)
        del self._since[key]
        if queue:
            self._since[key] = time.monotonic()
        else:
            del self._waiting[key]
        return batch

    def _run_batch(self, batch: list[Chunk]) -> None:
        key = batch[0].key
        samples = [sample for chunk in batch for sample in chunk.samples]
        cores = self._cores if self._core_s.get(key, 0.0) >= _HEAVY_S else 1
        self._use_cores(cores)
        start, computing = time.perf_counter(), time.thread_time()
        pieces = infer(batch[0].network, samples)
        seconds = time.perf_counter() - start
        # Nothing but computing counts, however busy the cores are; and the least of all batches,
        # because the first of each size pays for its set-up.
        core_s = (time.thread_time() - computing) * cores / len(samples)
        self._core_s[key] = min(core_s, self._core_s.get(key, core_s))
        if len(self._core_s) > _REMEMBERED_KEYS:
            del self._core_s[next(iter(self._core_s))]
        for chunk in batch:
            chunk.device_s = seconds * len(chunk.samples) / len(samples)
            mine, pieces = _split(pieces, len(chunk.samples))
            chunk.pieces.set_result(mine)


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
