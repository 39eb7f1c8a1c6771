"""One shard's way: read, decode, infer, post-process, write the segment, commit."""

import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, wait
from functools import partial

import structlog

from jobs.base.states import ItemStatus
from jobs.base.storage import StorageError, overlays_name, segment_name, thumbnails_name
from jobs.inputs.manifests import Item, Manifest
from jobs.queue.commits import Tally, commit_through_outages
from jobs.queue.scheduling import ShardLease
from jobs.queue.shard_leases import hand_back
from jobs.results.segments import ItemError, Row, write_segment
from jobs.results.summaries import summarize, write_summary
from models.runtime.network import ImageNetwork, VideoNetwork
from workers.engine.figures import count_items, timed
from workers.engine.holding.hold import Hold
from workers.engine.images import ImageRun
from workers.engine.overlays import Overlays
from workers.engine.reading.postponed import Postponed
from workers.engine.rows import row_of, rows_not_run
from workers.engine.stages import Stages
from workers.engine.texts import TextsNotRead
from workers.engine.thumbnails import Thumbnails
from workers.engine.timeline import Timeline
from workers.engine.videos.run import Outcome, VideoRun

log = structlog.get_logger(__name__)

# Videos of one shard that are under way at a time: while one decodes, another may infer.
VIDEOS = 2


class ShardRun(Hold):
    """A leased shard on its way to its commit."""

    def __init__(self, stages: Stages, lease: ShardLease, timeline: Timeline | None = None) -> None:
        super().__init__(lease, timeline)
        self._began_at = self.moved_at
        self._stages = stages
        self._rows: list[Row] = []
        self._device_s = 0.0
        self._task = "training" if lease.is_turn else "unknown"
        self._checkpoints: list[str] = []
        self._decoders = stages.decoders.of(lease.shard_id)
        self._overlays = Overlays(self._decoders, stages.pictures) if lease.overlays else None
        self._thumbnails = Thumbnails(lease.first, lease.count) if lease.gallery else None

    def run(self, network: ImageNetwork | VideoNetwork, manifest: Manifest) -> bool:
        """Run the shard to its commit; False when it was lost or handed back instead.

        Raises BlobMissing when the manifest is gone; other failures of the store are waited out.
        """
        self._task = network.record.task
        items = self.retry_storage(lambda: manifest.items(self.lease.first, self.lease.count))
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
        not_run = rows_not_run(self, items[done:], self.lease.first + done)
        won = self.commit(self._rows + not_run)
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
        if self._thumbnails is not None:
            self._thumbnails.close()

    def error_all(self, items: Sequence[Item], error: ItemError) -> bool:
        """Commit the whole shard as errored, when it cannot be run at all."""
        return self.commit(
            [
                row_of(self.lease, index, item, ItemStatus.ERRORED, error=error)
                for index, item in enumerate(items, start=self.lease.first)
            ]
        )

    def commit(self, rows: list[Row]) -> bool:
        """Write the segment and count it, waiting out storage and database if they are away."""
        ground, lease = self._stages.ground, self.lease
        name = segment_name(lease.job_id, lease.first, lease.fence)
        with timed("write", self.timeline):
            if self._overlays is not None:
                self.retry_storage(partial(self._overlays.store, ground.storage, name, rows))
            if self._thumbnails is not None:
                self.retry_storage(partial(self._thumbnails.store, ground.storage, name))
            self.retry_storage(lambda: write_segment(ground.storage, name, rows))
        counted = Counter(row.status for row in rows)
        summary = summarize(rows)
        summary.seconds.update(self._seconds())
        tally = Tally(
            succeeded=counted[ItemStatus.SUCCEEDED],
            errored=counted[ItemStatus.ERRORED],
            faults=sum(row.error is not None and row.error.is_fault for row in rows),
            cancelled=counted[ItemStatus.CANCELLED],
            expired=counted[ItemStatus.EXPIRED],
            summary=write_summary(summary),
        )
        held_s = time.monotonic() - self._began_at
        with self.extended_stall_limit(), timed("commit", self.timeline):
            won = commit_through_outages(
                ground.database, lease, name, tally, self._device_s, held_s, pause=self.pause
            )
        if won:
            count_items(self._task, tally)
        else:
            log.info("late_result_discarded", shard=lease.shard_id, job=lease.job_id)
            ground.storage.delete([name, overlays_name(name), thumbnails_name(name)])
        return won

    def _seconds(self) -> dict[str, float]:
        """Say what the time went to: of batches that others were in as well, this shard's part."""
        seconds = self.timeline.seconds() if self.timeline is not None else {}
        if self._device_s:
            seconds["infer"] = self._device_s
        return seconds

    def _run_images(self, network: ImageNetwork, items: list[Item]) -> None:
        images = ImageRun(self._stages, self, self._decoders, self._overlays, self._thumbnails)
        try:
            images.run(network, items)
        finally:
            self._rows, self._device_s = images.rows, self._device_s + images.device_s

    def _run_videos(self, network: VideoNetwork, items: list[Item]) -> None:
        first, postponed = (
            self.lease.first,
            Postponed(self._stages.ground.settings.url_retry_delays_s),
        )
        self._run_some_videos(network, enumerate(items, start=first), postponed)
        while due := postponed.wait(self):
            again = ((index, items[index - first]) for index in due if not postponed.is_spent)
            self._run_some_videos(network, again, postponed)

    def _run_some_videos(
        self, network: VideoNetwork, videos: Iterable[tuple[int, Item]], postponed: Postponed
    ) -> None:
        pending: deque[Future[Outcome]] = deque()
        try:
            for index, item in videos:
                if len(pending) == VIDEOS:
                    self._note(pending.popleft().result(), postponed)
                if self.stopped.is_set():
                    break
                video = VideoRun(self._stages, self, network, index, item)
                pending.append(self._stages.videos.submit(video.run))
            while pending:
                self._note(pending.popleft().result(), postponed)
        except BaseException:
            # The others must not go on with a shard that nobody commits.
            self.stopped.set()
            wait(pending)
            raise

    def _note(self, outcome: Outcome, postponed: Postponed) -> None:
        row = outcome.row
        if row.error is not None:
            row.error = postponed.note(row.index, row.error)
        if self._overlays is not None and outcome.picture is not None:
            row = self._overlays.add(row, outcome.picture)
        if self._thumbnails is not None and outcome.strip is not None:
            self._thumbnails.add({row.index: outcome.strip})
        place = row.index - self.lease.first
        self._rows[place : place + 1] = [row]
        self._device_s += outcome.device_s
        self._checkpoints += outcome.checkpoints

    def _delete_checkpoints(self) -> None:
        """Delete what only another attempt would need; what is left is found with the job's end."""
        try:
            with self.extended_stall_limit():
                self._stages.ground.storage.delete(self._checkpoints)
        except StorageError as err:
            log.warning("checkpoints_left", shard=self.lease.shard_id, error=str(err))
