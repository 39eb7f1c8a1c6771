"""One video's way: spool, decode, infer window after window, post-process; in a thread of its own.

    bytes ──► private file ──► frames ──► windows ──► batcher ──► clips ──► row
                                 │ a process of its own │     lanes     │
                                 └───── a place, every few seconds ─────┘──► checkpoint

While a window is on the device the next one is decoded; nothing else of a video is in memory but
the clips so far and, where overlays are wanted, a few small frames. The thread itself mostly waits.
Whatever is wrong with a video costs that video.
"""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, wait
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from typing import TypeVar

import structlog

from jobs.base.states import ItemStatus
from jobs.base.storage import StorageError
from jobs.inputs.manifests import Item
from jobs.queue.scheduling import ShardLease
from jobs.results.segments import ItemError, ItemWarning, Row, to_json
from models.media.films import Facts, Frame, Position
from models.records.errors import VideoTooLarge
from models.records.windows import most_windows
from models.runtime.network import VideoNetwork
from models.tasks.task import Predictions, State, Stepped
from workers.egress import GivenUp
from workers.engine.figures import timed
from workers.engine.holding.hold import Abandoned, Hold
from workers.engine.overlays import VideoOverlay
from workers.engine.reading.chunk import Chunk, reading_stage
from workers.engine.reading.spool import Spooled, spooled
from workers.engine.stages import Stages
from workers.engine.videos.checkpoints import Checkpoints, Progress
from workers.engine.videos.errors import NotInferred, error_of
from workers.engine.videos.windows import Pause, Prepared, Window, cut
from workers.walls.films import Film, FilmCrashed
from workers.walls.processes import ProcessDied

log = structlog.get_logger(__name__)

T = TypeVar("T")

# A video decodes for so long at a time: many frames may lie before the next window, above all when
# a video is resumed, and there are few decode threads.
_SLICE_S = 0.2


class Stopped(Exception):
    """The shard was told to stop."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a video, the device's time for it, and the checkpoints that it leaves.

    picture: its overlay, strip: its frames along its length; JPEG files, where they are wanted.
    """

    row: Row
    device_s: float
    checkpoints: list[str]
    picture: bytes | None
    strip: bytes | None = None


def batch_key(lease: ShardLease) -> tuple[str, str]:
    """Name what chunks must have in common to share a batch: model version and parameters."""
    return lease.model, json.dumps(lease.params, sort_keys=True)


class VideoRun:
    """One video of a leased shard."""

    def __init__(
        self, stages: Stages, hold: Hold, network: VideoNetwork, index: int, item: Item
    ) -> None:
        self._stages, self._hold, self._network = stages, hold, network
        self._index, self._item = index, item
        self._sha256: str | None = None
        self._device_s = 0.0
        self._checkpoints: Checkpoints | None = None
        self._overlay = VideoOverlay.wanted_by(hold.lease, index)
        self._drawn: tuple[bytes | None, bytes | None] = None, None
        self._facts: Facts | None = None
        self._kept_at = self._slice_until = time.monotonic()
        # Whoever still decodes ahead may stop.
        self._is_left = False

    def run(self) -> Outcome:
        """See the video through to its row. Raises Abandoned."""
        try:
            row = self._row_of(*self._answer())
        except (Stopped, GivenUp, CancelledError):
            status, url = self._hold.status_not_run(), self._item.shown_url
            row = Row(self._index, self._item.custom_id, status, input_url=url)
        except (Abandoned, ProcessDied):  # no fault of the video's
            raise
        except Exception as err:  # whatever is wrong costs this video, not its shard
            row = self._row_of(None, error=self._error_of(err))
        names = self._checkpoints.names if self._checkpoints is not None else []
        return Outcome(row, self._device_s, names, *self._drawn)

    def _answer(self) -> tuple[Predictions, str | None]:
        """Give the predictions, and what of the video was missing."""
        limits, settings = self._network.record.limits, self._stages.ground.settings
        hold, longest_s = self._hold, settings.video_timeout_s
        # Parameters that this network cannot take are told before anything is read.
        self._network.windows(hold.lease.params)
        parts = self._stages.reader.parts(
            self._item, limits.max_bytes, longest_s, hold.retry_storage, hold.requester
        )
        with ExitStack() as stack:
            with timed(reading_stage([self._item]), self._hold.timeline):
                spool = stack.enter_context(spooled(self._watched(parts), limits.max_bytes))
            self._sha256 = spool.sha256
            checkpoints = self._checkpoints = self._checkpoints_of(spool)
            progress = hold.retry_storage(checkpoints.newest)
            if progress.clips:
                log.info("video_resumed", index=self._index, windows=len(progress.clips))
            if not progress.is_over:
                self._see_through_in_two_processes(spool, progress, checkpoints)
            elif self._overlay is not None:
                self._look_again(spool, self._overlay)
        predictions = self._decode(partial(self._postprocess, progress)).result()
        if self._overlay is not None:
            self._drawn = self._decode(partial(self._draw, self._overlay, predictions)).result()
        return predictions, progress.damage

    def _draw(
        self, overlay: VideoOverlay, predictions: Predictions
    ) -> tuple[bytes | None, bytes | None]:
        lease, facts = self._hold.lease, self._facts
        picture = overlay.draw(predictions) if lease.overlays else None
        return picture, overlay.strip(facts.duration_ms) if lease.gallery and facts else None

    def _see_through_in_two_processes(
        self, spool: Spooled, progress: Progress, checkpoints: Checkpoints
    ) -> None:
        """See the video through, in a second process from where the first one may have died."""
        try:
            self._see_through(spool, progress, checkpoints)
        except FilmCrashed:
            log.warning("film_process_died", index=self._index, windows=len(progress.clips))
            self._is_left = False
            if self._overlay is not None:  # it is shown the first frames once more
                self._overlay = VideoOverlay.wanted_by(self._hold.lease, self._index)
            self._see_through(spool, progress, checkpoints)

    def _see_through(self, spool: Spooled, progress: Progress, checkpoints: Checkpoints) -> None:
        """Decode and infer from where `progress` stands to the end of the video."""
        with self._open(spool) as video:
            try:
                self._run_windows(video, progress, checkpoints)
            except (Stopped, CancelledError):
                if self._hold.why == "hand_back":
                    self._keep(progress, checkpoints)
                raise
            progress.is_over, progress.damage, self._facts = True, video.damage, video.facts
        if checkpoints.names:
            self._keep(progress, checkpoints)

    def _look_again(self, spool: Spooled, overlay: VideoOverlay) -> None:
        """Decode a video that another attempt has seen through, for its overlay alone.

        Its answer is known and stays: also a shard that is told to stop costs only the picture.
        """
        try:
            with self._open(spool) as video:
                frames = self._sampled(video, None)
                while self._decode(partial(self._look_on, frames)).result():
                    pass
                self._facts = video.facts
        except Exception:
            overlay.give_up()

    def _open(self, spool: Spooled) -> Film:
        limits = self._network.record.limits
        where = (spool.file, spool.size, limits, self._hold.moved)
        film = self._decode(partial(self._stages.films.open, *where)).result()
        self._facts = film.facts
        return film

    def _run_windows(self, video: Film, progress: Progress, checkpoints: Checkpoints) -> None:
        shape = self._network.windows(self._hold.lease.params)
        windows = cut(self._frames(video, progress), shape, progress.kept)
        ahead = self._decode(partial(self._next, windows))
        try:
            while (window := ahead.result()) is not None:
                ahead = self._decode(partial(self._next, windows))
                if isinstance(window, Pause):
                    continue
                self._refuse_beyond(len(progress.clips))
                progress.advance(window, self._infer(window, progress.state), shape)
                self._hold.moved()
                self._stop_if_told()
                is_due = time.monotonic() - self._kept_at > self._checkpoint_s
                if is_due and len(window.frames) == shape.length:
                    self._keep(progress, checkpoints)
        finally:
            self._is_left = True
            # The video may be closed only when nobody decodes it any more.
            wait([ahead])

    def _frames(self, video: Film, progress: Progress) -> Iterator[Prepared | Pause]:
        for frame in self._sampled(video, progress.after):
            self._beat()
            if frame is not None:
                pixels = self._network.prepare_frame(frame.pixels)
                yield Prepared(frame.position, frame.end_ms, pixels)
            if time.monotonic() > self._slice_until:
                yield Pause()

    def _next(self, windows: Iterator[Window | Pause]) -> Window | Pause | None:
        self._slice_until = time.monotonic() + _SLICE_S
        with timed("decode", self._hold.timeline):
            return next(windows, None)

    def _sampled(self, video: Film, after: Position | None) -> Iterator[Frame | None]:
        """Give the sampled frames after a position, and None for every other frame.

        The overlay is shown those before it too.
        """
        sampling = self._network.sampling(self._hold.lease.params)
        if self._overlay is None:
            yield from video.steps(sampling, after)
            return
        for frame in video.steps(sampling):
            if frame is not None:
                self._overlay.see(frame)
            is_new = frame is not None and (after is None or frame.position.number > after.number)
            yield frame if is_new else None

    def _refuse_beyond(self, done: int) -> None:
        """Refuse a video whose answers would fill the memory; raises VideoTooLarge."""
        most = most_windows(len(self._network.record.labels), self._hold.lease.params)
        if done >= most:
            raise VideoTooLarge(
                f"The video has more than {most:,} windows, the most that are answered with this "
                "model and these parameters. Look at fewer frames a second (`fps`), at longer "
                "windows, or report fewer classes (`top_k`)."
            )

    def _look_on(self, frames: Iterator[Frame | None]) -> bool:
        """Decode for a slice of time; False at the end of the video."""
        until = time.monotonic() + _SLICE_S
        for _ in frames:
            self._beat()
            if time.monotonic() > until:
                return True
        return False

    def _decode(self, work: Callable[[], T]) -> "Future[T]":
        """Do something in a decode thread: there are as many as there are cores."""
        return self._stages.decoders.of(self._hold.lease.shard_id).submit(work)

    def _infer(self, window: Window, state: State | None) -> Stepped:
        """Put a window into a batch and wait for the answer; raises NotInferred, CancelledError."""
        lease, network = self._hold.lease, self._network
        chunk = Chunk(
            network,
            batch_key(lease),
            lease.shard_id,
            self._index,
            [self._item],
            self._hold.stopped,
            [window.step(network.windows(lease.params), state)],
            timeline=self._hold.timeline,
        )
        self._stages.batcher.announce()
        self._stages.batcher.put(chunk)
        (piece,) = self._stages.batcher.answer(chunk, self._hold.moved)
        self._device_s += chunk.device_s
        if not isinstance(piece.outputs, list):
            raise NotInferred(piece.error or ItemError("internal_error", "no answer"))
        stepped: Stepped = piece.outputs[0]
        return stepped

    def _postprocess(self, progress: Progress) -> Predictions:
        (answer,) = self._network.postprocess([progress.clips.listed()], self._hold.lease.params)
        return answer

    def _checkpoints_of(self, spool: Spooled) -> Checkpoints:
        lease = self._hold.lease
        basis = {
            "input": spool.sha256,
            "model": f"{lease.model}#{lease.model_digest}",
            "params": lease.params,
        }
        return Checkpoints(self._stages.ground.storage, lease.job_id, self._index, basis)

    def _keep(self, progress: Progress, checkpoints: Checkpoints) -> None:
        """Write a checkpoint; the video goes on without one while the store is away."""
        if not progress.clips:
            return
        try:
            with self._hold.extended_stall_limit():
                checkpoints.save(progress, self._hold.lease.fence)
        except StorageError as err:
            log.warning("checkpoint_not_kept", index=self._index, error=str(err))
        self._kept_at = time.monotonic()

    @property
    def _checkpoint_s(self) -> float:
        return self._stages.ground.settings.checkpoint_s

    def _watched(self, parts: Iterator[bytes | memoryview]) -> Iterator[bytes | memoryview]:
        for part in parts:
            self._beat()
            yield part

    def _beat(self) -> None:
        self._hold.moved()
        self._stop_if_told()

    def _stop_if_told(self) -> None:
        if self._hold.stopped.is_set() or self._is_left:
            raise Stopped

    def _row_of(
        self,
        predictions: Predictions | None,
        damage: str | None = None,
        error: ItemError | None = None,
    ) -> Row:
        facts = {} if self._facts is None else asdict(self._facts)
        return Row(
            self._index,
            self._item.custom_id,
            ItemStatus.SUCCEEDED if error is None else ItemStatus.ERRORED,
            self._sha256,
            self._hold.lease.attempts,
            None if predictions is None else to_json(predictions),
            error,
            warnings=(ItemWarning("video_damaged", damage),) if damage is not None else (),
            input_url=self._item.shown_url,
            **facts,
        )

    def _error_of(self, err: Exception) -> ItemError:
        if (known := error_of(err)) is not None:
            return known
        log.error("video_failed", shard=self._hold.lease.shard_id, index=self._index, exc_info=err)
        return ItemError("internal_error", "This video failed; the operator's logs say why.")
