"""Overlays of one shard: drawn as its results come, kept in a file, stored before its segment.

An image's result is drawn over the image, when its chunk is back from the device. A video's is
drawn as a contact sheet of some frames, which are kept while it is decoded.
"""

import dataclasses
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import BinaryIO, Self

import structlog

from jobs.base.storage import CHUNK, Storage, overlays_name
from jobs.queue.scheduling import ShardLease
from jobs.results.segments import Row
from models.answers.contact_sheet import ContactSheet
from models.answers.drawing import draw_jpeg
from models.media.films import Frame
from models.tasks.task import Predictions
from workers.engine.decoding.decoder import Pictures
from workers.engine.reading.chunk import ImageChunk
from workers.walls.pictures import Asked

log = structlog.get_logger(__name__)


class Overlays:
    """The overlays of one attempt at a shard; those of a thousand photos need no memory."""

    def __init__(self, decoders: Executor, pictures: Pictures) -> None:
        self._decoders, self._pictures = decoders, pictures
        # Made when there is something to keep: a disk that is full fails the shard, in its run.
        self._file: BinaryIO | None = None
        self._end = 0

    def draw(self, chunk: ImageChunk, rows: dict[int, Row], beat: Callable[[], None]) -> None:
        """Draw the results of a chunk, whose rows (by position) then say where each lies.

        `beat` is called for every one. The chunk's bytes are let go.
        """
        drawn = self._decoders.map(partial(self._draw_one, chunk, rows, beat), chunk.data)
        for position, picture in zip(list(chunk.data), drawn, strict=True):
            beat()
            if picture is not None:
                rows[position] = self.add(rows[position], picture)
        chunk.data.clear()

    def add(self, row: Row, picture: bytes) -> Row:
        """Keep a picture, a JPEG file; gives its row, which then says where it lies."""
        place = (self._end, len(picture))
        self._opened().write(picture)
        self._end += len(picture)
        return dataclasses.replace(row, overlay=place)

    def store(self, storage: Storage, segment: str, rows: Sequence[Row]) -> None:
        """Write the blob beside a segment with these rows, if any of them is drawn."""
        if any(row.overlay for row in rows):
            file = self._opened()
            file.seek(0)
            storage.put(overlays_name(segment), iter(partial(file.read, CHUNK), b""))

    def close(self) -> None:
        """Let the file go."""
        if self._file is not None:
            self._file.close()

    def _opened(self) -> BinaryIO:
        """Give the file; it has no name and goes with the process, however that ends."""
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the shard's run
        return self._file

    def _draw_one(
        self, chunk: ImageChunk, rows: dict[int, Row], beat: Callable[[], None], position: int
    ) -> bytes | None:
        predictions, index = rows[position].predictions, chunk.first + position
        if predictions is None:
            return None
        asked = Asked(3, chunk.network.record.limits)
        drawn = None
        try:
            for decoded in self._pictures.decode([chunk.data[position]], asked, beat):
                if decoded.picture is not None:
                    drawn = draw_jpeg(decoded.picture.pixels, predictions)
            return drawn
        except Exception:  # whatever cannot be drawn costs its picture, not its result
            log.exception("overlay_not_drawn", shard=chunk.shard_id, index=index)
            return None


class VideoOverlay:
    """The overlay of one video on its way; whatever goes wrong costs the picture, not the result.

    One thread at a time may use it.
    """

    def __init__(self, shard_id: int, index: int) -> None:
        self._shard_id, self._index = shard_id, index
        self._sheet: ContactSheet | None = ContactSheet()

    @classmethod
    def wanted_by(cls, lease: ShardLease, index: int) -> Self | None:
        """Begin one where the job wants its films drawn over, or kept small for its page."""
        return cls(lease.shard_id, index) if lease.overlays or lease.gallery else None

    def see(self, frame: Frame) -> None:
        """Keep the video's next sampled frame, if it is its turn."""
        try:
            if self._sheet is not None:
                self._sheet.add(frame)
        except Exception:
            self.give_up()

    def draw(self, predictions: Predictions) -> bytes | None:
        """Draw what the network said of the video; gives a JPEG file."""
        if self._sheet is None:
            return None
        try:
            return self._sheet.draw_jpeg(predictions[0])
        except Exception:
            self.give_up()
            return None

    def strip(self, duration_ms: int | None) -> bytes | None:
        """Lay the frames along the video's length; gives a JPEG file."""
        if self._sheet is None or not self._sheet.times:
            return None
        try:
            return self._sheet.strip_jpeg(duration_ms or self._sheet.times[-1])
        except Exception:
            self.give_up()
            return None

    def give_up(self) -> None:
        """Let the frames go because of the exception that is being handled."""
        log.exception("overlay_not_drawn", shard=self._shard_id, index=self._index)
        self._sheet = None
