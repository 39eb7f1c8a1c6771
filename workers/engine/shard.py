"""One shard's way: read, decode, infer, post-process, write the segment, commit."""

import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future, wait
from functools import partial
from itertools import islice

import structlog
import torch

from jobs.base.states import ItemStatus
from jobs.base.storage import StorageError, overlays_name, segment_name
from jobs.inputs.manifests import Item, Manifest
from jobs.queue.commits import Tally, commit_surely
from jobs.queue.quarantine import Suspect
from jobs.queue.scheduling import ShardLease
from jobs.queue.shard_leases import hand_back
from jobs.results.segments import ItemError, Row, to_json, write_segment
from models.records.errors import ExtensionFailed
from models.runtime.network import ImageNetwork, VideoNetwork
from models.tasks.task import Outputs, Predictions
from workers.engine.decoding.decoder import decode
from workers.engine.figures import count_items, timed
from workers.engine.holding.hold import Hold
from workers.engine.overlays import Overlays
from workers.engine.reading.chunk import ImageChunk
from workers.engine.stages import Stages
from workers.engine.texts import TextReader, TextsNotRead
from workers.engine.videos.run import Outcome, VideoRun, batch_key
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
# Nobody knows what lies behind a URL: as much as lets so many be fetched at once. How much memory
# they may take together, workers.engine.reading.fetching says.
_URLS = 8

# Videos of one shard that are under way at a time: while one decodes, another may infer.
VIDEOS = 2


class ShardRun(Hold):
    """A leased shard on its way to its commit."""

    def __init__(self, stages: Stages, lease: ShardLease) -> None:
        super().__init__(lease)
        self._began_at = self.moved_at
        self._stages = stages
        self._rows: list[Row] = []
        self._device_s = 0.0
        self._task = "training" if lease.is_turn else "unknown"
        self._checkpoints: list[str] = []
        self._decoders = stages.decoders.of(lease.shard_id)
        self._overlays = Overlays(self._decoders, stages.pictures) if lease.overlays else None

    def run(self, network: ImageNetwork | VideoNetwork, manifest: Manifest) -> bool:
        """Run the shard to its commit; False when it was lost or handed back instead.

        Raises BlobMissing when the manifest is gone; other failures of the store are waited out.
        """
        self._task = network.record.task
        items = self.surely(lambda: manifest.items(self.lease.first, self.lease.count))
        if isinstance(network, VideoNetwork):
            self._run_videos(network, items)
        else:
            try:
                self._run_images(network, items)
            except TextsNotRead as err:
                return self.error_all(items, err.error)
        if self.why == "hand_back":
            self.leave()
            return False
        if self.why == "lost":
            return False
        done = len(self._rows)
        rows_not_run = self._rows_not_run(items[done:], self.lease.first + done)
        won = self.commit(self._rows + rows_not_run)
        if won:
            self._delete_checkpoints()
        return won

    def leave(self) -> None:
        """Give the shard back, unless it was lost."""
        if self.why == "hand_back":
            hand_back(self._stages.ground.database, self.lease)

    def close(self) -> None:
        """Let go of what the run kept beside the memory."""
        if self._overlays is not None:
            self._overlays.close()

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
        name = segment_name(lease.job_id, lease.first, lease.fence)
        if self._overlays is not None:
            self.surely(partial(self._overlays.store, ground.storage, name, rows))
        self.surely(lambda: write_segment(ground.storage, name, rows))
        counted = Counter(row.status for row in rows)
        tally = Tally(
            succeeded=counted[ItemStatus.SUCCEEDED],
            errored=counted[ItemStatus.ERRORED],
            faults=sum(row.error is not None and row.error.is_fault for row in rows),
            cancelled=counted[ItemStatus.CANCELLED],
            expired=counted[ItemStatus.EXPIRED],
        )
        held_s = time.monotonic() - self._began_at
        with self.unhurried(), timed("commit"):
            won = commit_surely(
                ground.database, lease, name, tally, self._device_s, held_s, pause=self.pause
            )
        if won:
            count_items(self._task, tally)
        else:
            log.info("late_result_discarded", shard=lease.shard_id, job=lease.job_id)
            ground.storage.delete([name, *([overlays_name(name)] if lease.overlays else [])])
        return won

    def _run_images(self, network: ImageNetwork, items: list[Item]) -> None:
        reader = TextReader(self._stages.batcher, self, items)
        try:
            texts = reader.read(network)
        except CancelledError:
            return
        finally:
            self._device_s += reader.device_s
        pending: deque[Future[ImageChunk]] = deque()
        for chunk in self._chunks(network, items, texts):
            pending.append(self._start(chunk))
            if len(pending) >= self._stages.depth:
                self._collect(pending.popleft())
        while pending:
            self._collect(pending.popleft())

    def _run_videos(self, network: VideoNetwork, items: list[Item]) -> None:
        pending: deque[Future[Outcome]] = deque()
        try:
            for index, item in enumerate(items, start=self.lease.first):
                if len(pending) == VIDEOS:
                    self._note(pending.popleft().result())
                if self.stopped.is_set():
                    break
                video = VideoRun(self._stages, self, network, index, item)
                pending.append(self._stages.videos.submit(video.run))
            while pending:
                self._note(pending.popleft().result())
        except BaseException:
            # The others must not go on with a shard that nobody commits.
            self.stopped.set()
            wait(pending)
            raise

    def _note(self, outcome: Outcome) -> None:
        row = outcome.row
        if self._overlays is not None and outcome.picture is not None:
            row = self._overlays.add(row, outcome.picture)
        self._rows.append(row)
        self._device_s += outcome.device_s
        self._checkpoints += outcome.checkpoints

    def _delete_checkpoints(self) -> None:
        """Delete what only another attempt would need; what is left is found with the job's end."""
        try:
            with self.unhurried():
                self._stages.ground.storage.delete(self._checkpoints)
        except StorageError as err:
            log.warning("checkpoints_left", shard=self.lease.shard_id, error=str(err))

    def _chunks(
        self, network: ImageNetwork, items: list[Item], texts: torch.Tensor | None
    ) -> Iterator[ImageChunk]:
        # Labels are each job's own, and must keep no two jobs from sharing a batch.
        key = batch_key(self.lease) if texts is None else (self.lease.model, "")
        start = 0
        while start < len(items) and not self.stopped.is_set():
            run = leading(items, start, network.record.max_batch)
            first = self.lease.first + start
            chunk = ImageChunk(network, key, self.lease.shard_id, first, run, self.stopped)
            chunk.keeps_data, chunk.texts = self.lease.overlays, texts
            yield chunk
            start += len(run)

    def _start(self, chunk: ImageChunk) -> "Future[ImageChunk]":
        limit = chunk.network.record.limits.max_bytes
        reader = self._stages.reader
        with timed("read"):
            contents = self.surely(
                lambda: reader.read(chunk.items, limit, self.moved, self.stopped)
            )
        network = chunk.network
        asked = Asked(network.channels, network.record.limits, network.least(self.lease.params))
        self._stages.batcher.announce()

        def work() -> ImageChunk:
            if chunk.drop_if_stopped():
                self._stages.batcher.withdraw()
                return chunk
            try:
                with timed("decode"):
                    decode(chunk, contents, asked, self._stages.pictures, self.moved)
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
            pieces = self._stages.batcher.answer(chunk, self.moved)
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
                    predictions_json=to_json(answer),
                    size=chunk.sizes[position],
                )
        for position, error in chunk.errors.items():
            found[position] = self._row(
                chunk.first + position,
                chunk.items[position],
                ItemStatus.ERRORED,
                sha256=chunk.hashes[position],
                error=error,
            )
        if self._overlays is not None:
            self._overlays.draw(chunk, found, self.moved)
        self._rows += [found[position] for position in range(len(chunk.items))]

    def _postprocess(
        self, chunk: ImageChunk, outputs: Outputs, positions: Sequence[int]
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

    def _postprocess_one(self, chunk: ImageChunk, output: Outputs, position: int) -> Answer:
        self.moved()
        index = chunk.first + position
        try:
            with self._stages.flight.flying(Suspect(self.lease.shard_id, index, 1)):
                (answer,) = chunk.network.postprocess(output, self.lease.params)
            return answer
        except ExtensionFailed as err:
            log.warning("item_not_postprocessed", shard=self.lease.shard_id, error=str(err))
            return ItemError(err.code, str(err))
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
        predictions_json: str | None = None,
        error: ItemError | None = None,
        size: tuple[int, int] | None = None,
    ) -> Row:
        tries = self.lease.attempts
        row = Row(index, item.custom_id, status, sha256, tries, predictions_json, error)
        if size is not None:
            row.width, row.height = size
        return row

    def _rows_not_run(self, items: Sequence[Item], first: int) -> list[Row]:
        """Give the rows of items that a cancel or the deadline kept from running."""
        status = self.status_not_run()
        return [Row(index, item.custom_id, status) for index, item in enumerate(items, start=first)]


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
        return CHUNK_BYTES // _URLS
    # Holes take no room in their archive, and much where they are read.
    return item.size if item.encoding == "sparse" else item.length
