"""A film as whoever looks at it sees it: its facts, and the frames that are sampled."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, Self

from models.media.containers import Claims, read_claims
from models.media.film_formats import VIDEO_HEAD, video_format
from models.media.films.frame import Facts, Frame, Position
from models.media.memory import Pixels
from models.media.mp4_index import MAX_INDEX_ENTRIES
from models.media.sampling import Sampling
from models.records.errors import VideoDecodeFailed, VideoTooLarge
from models.records.record import VIDEO_LIMITS, Limits

if TYPE_CHECKING:
    from models.media.films.reel import Shot

# Matroska rounds times to milliseconds, and a frame must not miss its turn by that.
_ROUNDING_MS = 1.0

# Decoding is parallel by film.
_THREADS = 1


class Video:
    """An open video; to be closed. One thread at a time may use it."""

    def __init__(
        self,
        file: BinaryIO,
        kind: str,
        claims: Claims,
        limits: Limits = VIDEO_LIMITS,
        threads: int = _THREADS,
    ) -> None:
        """Open a file that `open_video` has looked at; raises as that does."""
        from models.media.films.reel import Reel

        self._reel = Reel(file, kind, claims, limits, threads)
        try:
            self._shots = self._reel.shots()
            self._first = next(self._shots, None)
        except BaseException:
            self._reel.close()
            raise
        self._is_over = False

    @property
    def size(self) -> tuple[int, int]:
        """The (width, height) of its frames, upright, in pixels."""
        if self._first is None:
            return self._reel.size
        return self._first.turn.size(self._first.form.width, self._first.form.height)

    @property
    def facts(self) -> Facts:
        """What is known of the film so far; the duration is exact when all frames were given."""
        width, height = self.size
        duration = self._reel.clock.end_ms if self._is_over else self._reel.duration_ms
        whole = None if duration is None else round(duration)
        return Facts(width, height, self._reel.fps, whole)

    def frames(self, sampling: Sampling, after: Position | None = None) -> Iterator[Frame]:
        """Give the sampled frames, or those after a position that an earlier run had reached.

        Raises VideoDecodeFailed when the video has no frame at all, VideoTooLarge when frames grow
        beyond the limits on the way.
        """
        return (frame for frame in self.steps(sampling, after) if frame is not None)

    def steps(self, sampling: Sampling, after: Position | None = None) -> Iterator[Frame | None]:
        """Give the same frames, and None for every other frame that is decoded on the way.

        So whoever decodes can stop anywhere, however far it is to the next sampled frame.
        """
        turn = _turn(sampling, after) if after is not None else -1
        waiting: tuple[Position, Pixels] | None = None
        for shot in self._all_shots():
            position = shot.position
            is_due = _turn(sampling, position) != turn
            is_new = after is None or position.number > after.number
            if not (is_due and is_new) or (pixels := self._reel.pixels(shot)) is None:
                yield None
                continue
            turn = _turn(sampling, position)
            yield None if waiting is None else Frame(waiting[0], position.at_ms, waiting[1])
            waiting = position, pixels
        self._is_over = True
        if waiting is not None:
            yield Frame(waiting[0], self._reel.clock.end_ms, waiting[1])
        elif after is None:
            raise VideoDecodeFailed(
                f"The {self._reel.kind} video has no frame that can be decoded."
            )

    @property
    def damage(self) -> str | None:
        """Say, when all frames have been given, what of the video was missing; None if nothing."""
        reel = self._reel
        return reel.damage.told(reel.decoded, reel.stated, reel.clock.at_ms)

    def close(self) -> None:
        """Let go of the file and the decoder's memory."""
        self._shots.close()
        self._reel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _all_shots(self) -> "Iterator[Shot]":
        if self._first is not None:
            yield self._first
        yield from self._shots


def open_video(file: BinaryIO, size: int, limits: Limits, threads: int = _THREADS) -> Video:
    """Open a file of `size` bytes that the caller keeps open for as long as the video.

    Raises UnsupportedMedia (also for sound without a film), VideoTooLarge (by what the headers
    state, before any frame is decoded, and by the first frame) or VideoDecodeFailed.
    """
    from models.media.films.sizes import check_size

    file.seek(0)
    kind = video_format(file.read(VIDEO_HEAD))
    claims = read_claims(kind, file, size)
    check_size(claims.width, claims.height, kind, limits)
    _check_index(claims, kind)
    return Video(file, kind, claims, limits, threads)


def _check_index(claims: Claims, kind: str) -> None:
    if claims.index_entries > MAX_INDEX_ENTRIES:
        raise VideoTooLarge(
            f"The {kind} video's index claims {claims.index_entries:,} pieces; at most "
            f"{MAX_INDEX_ENTRIES:,} are read. Cut the film into parts, or save it again."
        )


def _turn(sampling: Sampling, position: Position) -> int:
    """Count the places to sample up to a frame; it is the next one's turn when this has grown."""
    if sampling.every_nth is not None:
        return position.number // sampling.every_nth
    return math.floor((position.at_ms + _ROUNDING_MS) * (sampling.fps or 1.0) / 1000)
