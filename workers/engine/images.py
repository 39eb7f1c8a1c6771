"""The images of one shard, from their bytes to their rows: read, decode, infer, post-process."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Executor, Future
from dataclasses import replace
from itertools import islice

import structlog
import torch

from jobs.base.states import ItemStatus
from jobs.inputs.manifests import Item
from jobs.queue.quarantine import Suspect
from jobs.results.segments import ItemError, Row, to_json
from models.records.errors import ExtensionFailed
from models.runtime.network import ImageNetwork
from models.tasks.task import Outputs, Predictions
from workers.engine.decoding.decoder import decode
from workers.engine.figures import timed
from workers.engine.holding.hold import Hold
from workers.engine.overlays import Overlays
from workers.engine.reading.ahead import ReadAhead
from workers.engine.reading.chunk import ImageChunk, reading_stage
from workers.engine.reading.fetching import FETCHES, LATE, Aside
from workers.engine.reading.postponed import Postponed
from workers.engine.rows import row_of, rows_not_run
from workers.engine.stages import Stages
from workers.engine.texts import TextReader
from workers.engine.thumbnails import Thumbnails
from workers.engine.videos.run import batch_key
from workers.walls.pictures import Asked

log = structlog.get_logger(__name__)

Answer = Predictions | ItemError

# Items that are read, decoded and queued together: enough to make the way cheap for each, so few
# that the device soon has something to do, and that a batch can be put together of several shards.
CHUNK_ITEMS = 8
# And no more bytes than this, so that a shard of huge images does not fill the memory.
CHUNK_BYTES = 16 * 1024 * 1024
# Of small ones up to a whole batch, as long as it has no more bytes than this.
SMALL_CHUNK_BYTES = 128 * 1024


class ImageRun:
    """The run of one shard's images; `rows` are in their order, as far as it came."""

    def __init__(
        self,
        stages: Stages,
        hold: Hold,
        decoders: Executor,
        overlays: Overlays | None,
        thumbnails: Thumbnails | None = None,
    ) -> None:
        self.rows: list[Row] = []
        self.device_s = 0.0
        self._stages, self._hold, self._lease = stages, hold, hold.lease
        self._decoders, self._overlays, self._thumbnails = decoders, overlays, thumbnails
        self._postponed = Postponed(stages.ground.settings.url_retry_delays_s)
        # URLs of slow servers, and the items that wait for them.
        self._aside = Aside(hold.lease.tenant_id)
        self._late: list[int] = []
        # Between reading and post-processing, in order.
        self._pending: deque[Future[ImageChunk]] = deque()

    def run(self, network: ImageNetwork, items: list[Item]) -> None:
        """Run items up to where the hold is told to stop; raises TextsNotRead."""
        reader = TextReader(self._stages.batcher, self._hold, items)
        try:
            texts = reader.read(network)
        except CancelledError:
            return
        finally:
            self.device_s += reader.device_s
        self._ahead = ReadAhead(self._stages.reader.ranges, items)
        try:
            self._run_chunks(self._chunks(network, items, texts))
            self._run_late(network, items, texts)
        finally:
            self._stages.reader.forget(self._aside)
        while due := self._postponed.wait(self._hold):
            # Alone, in place of the rows that they have so far.
            again = (
                (index, [items[index - self._lease.first]])
                for index in due
                if not self._postponed.is_spent
            )
            self._run_chunks(self._chunk(network, texts, *each) for each in again)

    def _run_late(
        self, network: ImageNetwork, items: list[Item], texts: torch.Tensor | None
    ) -> None:
        """Run what was set aside, each alone: they have gone on being fetched side by side."""
        self._aside.is_open = False
        late = [(index, [items[index - self._lease.first]]) for index in sorted(self._late)]
        self._run_chunks(
            self._chunk(network, texts, *each) for each in late if not self._hold.stopped.is_set()
        )
        for index, run in late:
            place = index - self._lease.first
            if self.rows[place].error is LATE:
                self.rows[place : place + 1] = rows_not_run(self._hold, run, index)

    def _run_chunks(self, chunks: Iterable[ImageChunk]) -> None:
        for chunk in chunks:
            self._pending.append(self._start(chunk))
            if len(self._pending) >= self._stages.depth:
                self._collect(self._pending.popleft())
        while self._pending:
            self._collect(self._pending.popleft())

    def _wait_on(self) -> None:
        """Say that a slow server is no stall, and collect meanwhile what is back from the device.

        The next chunk may wait for the memory of these: of what is to be drawn on, and of one whose
        decoding failed, the bytes are let go here alone.
        """
        self._hold.moved()
        while self._pending and _is_back(self._pending[0]):
            self._collect(self._pending.popleft())

    def _chunks(
        self, network: ImageNetwork, items: list[Item], texts: torch.Tensor | None
    ) -> Iterator[ImageChunk]:
        start = 0
        while start < len(items) and not self._hold.stopped.is_set():
            run = leading(items, start, network.record.max_batch)
            yield self._chunk(network, texts, self._lease.first + start, run)
            start += len(run)

    def _chunk(
        self, network: ImageNetwork, texts: torch.Tensor | None, first: int, run: list[Item]
    ) -> ImageChunk:
        # Labels are each job's own, and must keep no two jobs from sharing a batch.
        key = batch_key(self._lease) if texts is None else (self._lease.model, "")
        chunk = ImageChunk(network, key, self._lease.shard_id, first, run, self._hold.stopped)
        chunk.keeps_data, chunk.texts = self._lease.overlays, texts
        chunk.keeps_thumbnails = self._thumbnails is not None
        chunk.timeline = self._hold.timeline
        return chunk

    def _start(self, chunk: ImageChunk) -> "Future[ImageChunk]":
        limit = chunk.network.record.limits.max_bytes
        reader, requester = self._stages.reader, replace(self._hold.requester, beat=self._wait_on)
        with timed(reading_stage(chunk.items), self._hold.timeline):
            contents = self._hold.retry_storage(
                lambda: reader.read(chunk.items, limit, requester, self._ahead.ranges, self._aside)
            )
        network = chunk.network
        asked = Asked(network.channels, network.record.limits, network.least(self._lease.params))
        self._stages.batcher.announce()

        def work() -> ImageChunk:
            if chunk.drop_if_stopped():
                self._stages.batcher.withdraw()
                return chunk
            try:
                with timed("decode", chunk.timeline):
                    decode(chunk, contents, asked, self._stages.pictures, self._hold.moved)
            finally:
                if chunk.samples:
                    self._stages.batcher.put(chunk)
                else:
                    self._stages.batcher.withdraw()
                    chunk.pieces.set_result([])
            return chunk

        return self._decoders.submit(work)

    def _collect(self, decoded: "Future[ImageChunk]") -> None:
        chunk = decoded.result()
        try:
            pieces = self._stages.batcher.answer(chunk, self._hold.moved)
        except CancelledError:
            # Of an item that was asked for again, the row of its last try stays.
            if chunk.first - self._lease.first == len(self.rows):
                self.rows += rows_not_run(self._hold, chunk.items, chunk.first)
            return
        self._hold.moved()
        self.device_s += chunk.device_s
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
                found[position] = row_of(
                    self._lease,
                    chunk.first + position,
                    chunk.items[position],
                    ItemStatus.SUCCEEDED,
                    sha256=chunk.hashes[position],
                    predictions_json=to_json(answer),
                    size=chunk.sizes[position],
                )
        for position, error in chunk.errors.items():
            if error is LATE:
                self._late.append(chunk.first + position)
            found[position] = row_of(
                self._lease,
                chunk.first + position,
                chunk.items[position],
                ItemStatus.ERRORED,
                sha256=chunk.hashes[position],
                error=self._postponed.note(chunk.first + position, error),
            )
        if self._overlays is not None:
            self._overlays.draw(chunk, found, self._hold.moved)
        self._keep_thumbnails(chunk)
        start = chunk.first - self._lease.first
        rows = [found[position] for position in range(len(chunk.items))]
        self.rows[start : start + len(rows)] = rows

    def _keep_thumbnails(self, chunk: ImageChunk) -> None:
        if self._thumbnails is not None:
            small = chunk.thumbnails.items()
            self._thumbnails.add({chunk.first + position: each for position, each in small})
        chunk.thumbnails.clear()

    def _postprocess(
        self, chunk: ImageChunk, outputs: Outputs, positions: Sequence[int]
    ) -> list[Answer]:
        """Turn outputs into predictions; what cannot be turned costs its item.

        Rows of a tensor are turned all at once. What is a list, of boxes or masks, takes long for
        a large image: one after the other, each a step that is seen and, in flight, suspected.
        """
        if not isinstance(outputs, list):
            try:
                return list(chunk.network.postprocess(outputs, self._lease.params))
            except Exception:
                log.warning("outputs_postprocessed_singly", shard=self._lease.shard_id)
        return [
            self._postprocess_one(chunk, outputs[place : place + 1], position)
            for place, position in enumerate(positions)
        ]

    def _postprocess_one(self, chunk: ImageChunk, output: Outputs, position: int) -> Answer:
        self._hold.moved()
        index = chunk.first + position
        try:
            with self._stages.flight.flying(Suspect(self._lease.shard_id, index, 1)):
                (answer,) = chunk.network.postprocess(output, self._lease.params)
            return answer
        except ExtensionFailed as err:
            log.warning("item_not_postprocessed", shard=self._lease.shard_id, error=str(err))
            return ItemError(err.code, str(err))
        except Exception:  # whatever is wrong with it costs this item, not its shard
            log.exception("item_not_postprocessed", shard=self._lease.shard_id, index=index)
            message = "This item's result could not be put together; the operator's logs say why."
            return ItemError("internal_error", message)


def _is_back(decoded: "Future[ImageChunk]") -> bool:
    """Say whether a chunk can be collected, or its failure raised, without waiting."""
    return decoded.done() and (decoded.exception() is not None or decoded.result().pieces.done())


def leading(items: list[Item], start: int, most: int) -> list[Item]:
    """Give the next items that make a chunk: at least one, then while number and bytes allow.

    A few that would be left behind come along: alone they would be a batch of next to nothing.
    """
    left = len(items) - start
    enough = left if left <= CHUNK_ITEMS * 3 // 2 else CHUNK_ITEMS
    run = [items[start]]
    held = _bytes_of(items[start])
    for item in items[start + 1 : start + most]:
        held += _bytes_of(item)
        if held > (CHUNK_BYTES if len(run) < enough else SMALL_CHUNK_BYTES):
            break
        run.append(item)
    return run


def _bytes_of(item: Item) -> int:
    if item.encoding == "url":
        # Nobody knows: as much as lets so many be fetched at once.
        return CHUNK_BYTES // FETCHES
    # Holes take no room in their archive, and much where they are read.
    return item.size if item.encoding == "sparse" else item.length
