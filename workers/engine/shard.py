"""One shard's way: read, decode, infer, post-process, write the segment, commit."""

import json
import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import structlog

from jobs.bootstrap import Ground
from jobs.completion import Tally, commit_surely
from jobs.leases import hand_back
from jobs.manifests import Item, Manifest
from jobs.quarantine import Suspect
from jobs.scheduling import Lease
from jobs.segments import ItemError, Row, write_segment
from jobs.states import ItemStatus
from jobs.storage import BlobMissing, StorageError, segment_name
from models.registry import ImageNetwork
from models.tasks.task import Outputs, Predictions
from workers.engine.batcher import Batcher
from workers.engine.chunk import Chunk
from workers.engine.decoder import decode
from workers.engine.flight import FlightRecord
from workers.engine.keeper import Stop
from workers.engine.reader import Reader

log = structlog.get_logger(__name__)

T = TypeVar("T")
Answer = Predictions | ItemError

# Items that are read, decoded and queued together: enough to make the way cheap for each, few
# enough that a batch can be put together of several shards.
CHUNK_ITEMS = 32
# And no more bytes than this, so that a shard of huge images does not fill the memory.
CHUNK_BYTES = 32 * 1024 * 1024

_LONGEST_PAUSE_S = 5.0
# Longer than a call of the store takes with all its retries (three minutes), and a statement.
_LONGEST_CALL_S = 300.0


@dataclass(frozen=True, slots=True)
class Stages:
    """What a shard passes through; shared by all shards of a process."""

    ground: Ground
    reader: Reader
    decoders: Executor
    batcher: Batcher
    flight: FlightRecord
    # Chunks of one shard that may be between reading and post-processing at a time.
    depth: int


class Abandoned(Exception):
    """The run was told to stop while it waited for the store."""


class ShardRun:
    """A leased shard while it runs."""

    def __init__(self, stages: Stages, lease: Lease) -> None:
        self.lease = lease
        self._began_at = self.moved_at = time.monotonic()
        self._stages = stages
        self._why: Stop | None = None
        self._stopped = threading.Event()
        self._rows: list[Row] = []
        self._device_s = 0.0

    def stop(self, why: Stop) -> None:
        """Ask the run to stop after the batch on the device; the first reason counts."""
        self._why = self._why or why
        self._stopped.set()

    def moved(self) -> None:
        """Say that this run is not stuck."""
        self.moved_at = time.monotonic()

    def moves_slowly(self) -> None:
        """Say that this run is not stuck, though its next step may take minutes."""
        self._be_patient()

    @property
    def is_stopped(self) -> bool:
        """Whether the run was asked to stop."""
        return self._stopped.is_set()

    @property
    def is_lost(self) -> bool:
        """Whether the shard is somebody else's by now."""
        return self._why == "lost"

    def waits(self) -> None:
        """Say that this run stands still until `moved`, because others go first."""
        self.moved_at = math.inf

    def run(self, network: ImageNetwork, manifest: Manifest) -> bool:
        """Run the shard to its commit; False when it was lost or handed back instead.

        Raises BlobMissing when the manifest is gone; other failures of the store are waited out.
        """
        items = self.surely(lambda: manifest.items(self.lease.first, self.lease.count))
        pending: deque[Future[Chunk]] = deque()
        for chunk in self._chunks(network, items):
            pending.append(self._start(chunk))
            if len(pending) >= self._stages.depth:
                self._collect(pending.popleft())
        while pending:
            self._collect(pending.popleft())
        if self._why == "hand_back":
            self.leave()
            return False
        if self._why == "lost":
            return False
        done = len(self._rows)
        return self.commit(self._rows + self._rows_not_run(items[done:], self.lease.first + done))

    def leave(self) -> None:
        """Give the shard back, unless it was lost."""
        if self._why == "hand_back":
            hand_back(self._stages.ground.database, self.lease)

    def error_all(self, items: Sequence[Item], error: ItemError) -> bool:
        """Commit the whole shard as errored, when it cannot be run at all."""
        return self.commit(
            [
                self._row(index, item, ItemStatus.ERRORED, error=error)
                for index, item in enumerate(items, start=self.lease.first)
            ]
        )

    def commit(self, rows: list[Row]) -> bool:
        """Write the segment and count it, waiting out storage and database if they are away."""
        ground, lease = self._stages.ground, self.lease
        name = segment_name(lease.job_id, lease.first, lease.attempt)
        self.surely(lambda: write_segment(ground.storage, name, rows))
        counted = Counter(row.status for row in rows)
        tally = Tally(
            succeeded=counted[ItemStatus.SUCCEEDED],
            errored=counted[ItemStatus.ERRORED],
            cancelled=counted[ItemStatus.CANCELLED],
            expired=counted[ItemStatus.EXPIRED],
        )
        held_s = time.monotonic() - self._began_at
        with self._unhurried():
            won = commit_surely(
                ground.database, lease, name, tally, self._device_s, held_s, pause=self.pause
            )
        if not won:
            log.info("late_result_discarded", shard=lease.shard_id, job=lease.job_id)
            ground.storage.delete([name])
        return won

    def _chunks(self, network: ImageNetwork, items: list[Item]) -> Iterator[Chunk]:
        key = (self.lease.model, json.dumps(self.lease.params, sort_keys=True))
        start = 0
        while start < len(items) and not self._stopped.is_set():
            run = leading(items, start, min(CHUNK_ITEMS, network.record.max_batch))
            first = self.lease.first + start
            yield Chunk(network, key, self.lease.shard_id, first, run, self._stopped)
            start += len(run)

    def _start(self, chunk: Chunk) -> "Future[Chunk]":
        limit = chunk.network.record.limits.max_bytes
        contents = self.surely(lambda: self._stages.reader.read(chunk.items, limit, self.moved))
        self._stages.batcher.announce()

        def work() -> Chunk:
            if chunk.drop_if_stopped():
                self._stages.batcher.withdraw()
                return chunk
            try:
                decode(chunk, contents, limit, self._stages.flight)
            finally:
                if chunk.samples:
                    self._stages.batcher.put(chunk)
                else:
                    self._stages.batcher.withdraw()
                    chunk.pieces.set_result([])
            return chunk

        return self._stages.decoders.submit(work)

    def _collect(self, decoded: "Future[Chunk]") -> None:
        chunk = decoded.result()
        try:
            pieces = chunk.pieces.result()
        except CancelledError:
            self._rows += self._rows_not_run(chunk.items, chunk.first)
            return
        self.moved()
        self._device_s += chunk.device_s
        found: dict[int, Row] = {}
        positions = iter(chunk.positions)
        for piece in pieces:
            places = list(islice(positions, piece.count))
            if piece.outputs is None:
                error = piece.error or ItemError("internal_error", "")
                answers: list[Answer] = [error] * piece.count
            else:
                answers = self._postprocess(chunk, piece.outputs, places)
            for position, answer in zip(places, answers, strict=True):
                if isinstance(answer, ItemError):
                    chunk.errors[position] = answer
                    continue
                found[position] = self._row(
                    chunk.first + position,
                    chunk.items[position],
                    ItemStatus.SUCCEEDED,
                    sha256=chunk.hashes[position],
                    predictions=answer,
                )
        for position, error in chunk.errors.items():
            found[position] = self._row(
                chunk.first + position,
                chunk.items[position],
                ItemStatus.ERRORED,
                sha256=chunk.hashes[position],
                error=error,
            )
        self._rows += [found[position] for position in range(len(chunk.items))]

    def _postprocess(
        self, chunk: Chunk, outputs: Outputs, positions: Sequence[int]
    ) -> list[Answer]:
        """Turn outputs into predictions; what cannot be turned costs its item.

        Rows of a tensor are turned all at once. What is a list, of boxes or masks, takes long for
        a large image: one after the other, each a step that is seen and, in flight, suspected.
        """
        if not isinstance(outputs, list):
            try:
                return list(chunk.network.postprocess(outputs, self.lease.params))
            except Exception:
                log.warning("outputs_postprocessed_singly", shard=self.lease.shard_id)
        return [
            self._postprocess_one(chunk, outputs[place : place + 1], position)
            for place, position in enumerate(positions)
        ]

    def _postprocess_one(self, chunk: Chunk, output: Outputs, position: int) -> Answer:
        self.moved()
        index = chunk.first + position
        try:
            with self._stages.flight.flying(Suspect(self.lease.shard_id, index, 1)):
                (answer,) = chunk.network.postprocess(output, self.lease.params)
            return answer
        except Exception:  # whatever is wrong with it costs this item, not its shard
            log.exception("item_not_postprocessed", shard=self.lease.shard_id, index=index)
            message = "This item's result could not be put together; the operator's logs say why."
            return ItemError("internal_error", message)

    def _row(
        self,
        index: int,
        item: Item,
        status: ItemStatus,
        *,
        sha256: str | None = None,
        predictions: list[dict[str, object]] | None = None,
        error: ItemError | None = None,
    ) -> Row:
        tries = self.lease.tries
        return Row(index, item.custom_id, status, sha256, tries, predictions, error)

    def _rows_not_run(self, items: Sequence[Item], first: int) -> list[Row]:
        """Give the rows of items that a cancel or the deadline kept from running."""
        status = self._why if isinstance(self._why, ItemStatus) else ItemStatus.CANCELLED
        return [Row(index, item.custom_id, status) for index, item in enumerate(items, start=first)]

    def surely(self, work: Callable[[], T]) -> T:
        """Do something with the store, waiting it out while it is away.

        Raises Abandoned when the shard is lost meanwhile, or to be handed back.
        """
        delay = 0.2
        while True:
            try:
                with self._unhurried():
                    return work()
            except BlobMissing:
                raise
            except StorageError as err:
                if self._why in ("lost", "hand_back"):
                    raise Abandoned from err
                log.warning("shard_waits_for_storage", shard=self.lease.shard_id, error=str(err))
                self.pause(delay)
                delay = min(delay * 2, _LONGEST_PAUSE_S)

    @contextmanager
    def _unhurried(self) -> Iterator[None]:
        """Wait for the store or the database: no stall of ours for as long as a call may take."""
        self._be_patient()
        try:
            yield
        finally:
            if self.moved_at < math.inf:
                self.moved()

    def pause(self, seconds: float) -> None:
        """Wait for others, which is no stall."""
        time.sleep(seconds)
        self._be_patient()

    def _be_patient(self) -> None:
        if self.moved_at < math.inf:
            self.moved_at = time.monotonic() + _LONGEST_CALL_S


def leading(items: list[Item], start: int, most: int) -> list[Item]:
    """Give the next items that make a chunk: at least one, then while number and bytes allow."""
    run = [items[start]]
    held = items[start].length
    for item in items[start + 1 : start + most]:
        held += item.length
        if held > CHUNK_BYTES:
            break
        run.append(item)
    return run
