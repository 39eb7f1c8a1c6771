"""From a video file to upright frames with their times, as a stream in bounded memory.

    open_video ── magic bytes, stated size ──► Video.frames ── sampled ──► Frame, Frame, …

One frame is held at a time, however long the video is. Decisions, each held by a test:

- OpenCV's own FFmpeg decodes (models/media/opencv.py says what it may open). It reads the open file
  through its descriptor: the only name it ever sees is `/dev/fd/…`.
- Times are the container's, in milliseconds from the video's beginning, so that variable frame
  rates come out right. A frame without a time, or with one that goes backwards, is given the last
  one's and the usual distance.
- A frame is taken when its time reaches the next multiple of 1/fps seconds, or when its number is
  the next multiple of n.
- What the container says of rotation is applied.
- A frame that cannot be decoded is left out. What is missing, in the middle or at the end, is told
  as a warning; only a video without a single frame is an error.
- Decoding is repeated from the beginning when a video is resumed: only so are the frames after the
  place the same as without a break, whatever the codec.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple, Self

from models.errors import VideoDecodeFailed, VideoTooLarge
from models.media.containers import Claims, read_claims
from models.media.formats import VIDEO_HEAD, video_format
from models.media.memory import Pixels
from models.media.opencv import cv2
from models.media.sampling import Sampling
from models.record import Limits

# Containers whose index says exactly how many frames there are; the others only guess.
_COUNTED = ("MP4", "AVI")

# Calls without a frame after which a video is over: its end is one, a damaged stretch a few.
_PATIENCE = 100

# Matroska rounds times to milliseconds, and a frame must not miss its turn by that.
_ROUNDING_MS = 1.0

# Where the container states no frame rate that can be.
_USUAL_MS = 40.0
_FASTEST_FPS = 1000.0

_OPTIONS = [
    # Decoding is parallel by video.
    *(cv2.CAP_PROP_N_THREADS, 1),
    # A file answers at once; what looks like a time-out is a process that was stopped.
    *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, 0),
    *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, 0),
]


class Position(NamedTuple):
    """A decoded frame: its number, counted from 0, and its time in milliseconds."""

    number: int
    at_ms: float


@dataclass(frozen=True, slots=True)
class Facts:
    """What a film is: the size of its upright picture in pixels, its rate and its length."""

    width: int
    height: int
    fps: float | None = None
    duration_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """A sampled frame, upright: uint8 RGB (h, w, 3).

    end_ms: when the next sampled frame is shown or, for the last one, the video's end.
    """

    position: Position
    end_ms: float
    pixels: Pixels


class Video:
    """An open video; to be closed. One thread at a time may use it."""

    def __init__(self, file: BinaryIO, kind: str, claims: Claims) -> None:
        """Open a file that `open_video` has looked at; raises VideoDecodeFailed."""
        self._kind, self._claims = kind, claims
        self._capture = cv2.VideoCapture(f"/dev/fd/{file.fileno()}", cv2.CAP_FFMPEG, _OPTIONS)
        if not self._capture.isOpened():
            raise VideoDecodeFailed(
                f"The {kind} video could not be opened: it is truncated, corrupt or of a codec "
                "that is not supported. Play it, and save it again as MP4 or WebM."
            )
        self._stated = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self._decoded = 0
        self._is_damaged = False
        self._at_ms, self._distance_ms = 0.0, self._usual_distance()

    @property
    def facts(self) -> Facts:
        """What the film is."""
        return Facts(*self.size)

    @property
    def size(self) -> tuple[int, int]:
        """The (width, height) of its frames, in pixels."""
        width, height = cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT
        return int(self._capture.get(width)), int(self._capture.get(height))

    def frames(self, sampling: Sampling, after: Position | None = None) -> Iterator[Frame]:
        """Give the sampled frames, or those after a position that an earlier run had reached.

        Raises VideoDecodeFailed when the video has no frame at all.
        """
        return (frame for frame in self.steps(sampling, after) if frame is not None)

    def steps(self, sampling: Sampling, after: Position | None = None) -> Iterator[Frame | None]:
        """Give the same frames, and None for every other frame that is decoded on the way.

        So whoever decodes can stop anywhere, however far it is to the next sampled frame.
        """
        turn = _turn(sampling, after) if after is not None else -1
        waiting: tuple[Position, Pixels] | None = None
        for position in self._positions():
            is_due = _turn(sampling, position) != turn
            is_new = after is None or position.number > after.number
            if not (is_due and is_new) or (pixels := self._retrieve()) is None:
                yield None
                continue
            turn = _turn(sampling, position)
            yield None if waiting is None else Frame(waiting[0], position.at_ms, waiting[1])
            waiting = position, pixels
        if waiting is not None:
            yield Frame(waiting[0], self._at_ms + self._distance_ms, waiting[1])
        elif after is None:
            raise VideoDecodeFailed(f"The {self._kind} video has no frame that can be decoded.")

    @property
    def damage(self) -> str | None:
        """Say, when all frames have been given, what of the video was missing; None if nothing."""
        missing = self._stated - self._decoded if self._kind in _COUNTED else 0
        if not (self._claims.is_cut or self._is_damaged or missing > 0):
            return None
        of_how_many = f" of {self._stated:,}" if missing > 0 else ""
        return (
            f"The video is truncated or damaged: {self._decoded:,} frames{of_how_many} could be "
            f"decoded, up to {self._at_ms / 1000:.1f} s."
        )

    def close(self) -> None:
        """Let go of the file and the decoder's memory."""
        self._capture.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _positions(self) -> Iterator[Position]:
        """Decode frame after frame, without turning them into pixels."""
        failures = 0
        while failures < _PATIENCE:
            if not self._capture.grab():
                failures += 1
                continue
            # The end of a video is no damage: it is followed by nothing.
            self._is_damaged = self._is_damaged or failures > 0
            failures = 0
            # Whole microseconds: what is left of a fraction of the time base is noise.
            self._note_time(round(self._capture.get(cv2.CAP_PROP_POS_MSEC), 3))
            yield Position(self._decoded - 1, self._at_ms)

    def _note_time(self, at_ms: float) -> None:
        if self._decoded == 0:
            self._at_ms = max(at_ms, 0.0)
        elif at_ms > self._at_ms:
            self._distance_ms = at_ms - self._at_ms
            self._at_ms = at_ms
        else:
            self._at_ms += self._distance_ms
        self._decoded += 1

    def _retrieve(self) -> Pixels | None:
        try:
            is_there, pixels = self._capture.retrieve()
        except cv2.error:
            is_there, pixels = False, None
        if not is_there or pixels is None:
            self._is_damaged = True
            return None
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB).view("uint8")

    def _usual_distance(self) -> float:
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        return 1000 / fps if 0 < fps <= _FASTEST_FPS else _USUAL_MS


def open_video(file: BinaryIO, size: int, limits: Limits) -> Video:
    """Open a file of `size` bytes that the caller keeps open for as long as the video.

    Raises UnsupportedMedia, VideoTooLarge (by what the headers state, before any frame is decoded)
    or VideoDecodeFailed.
    """
    file.seek(0)
    kind = video_format(file.read(VIDEO_HEAD))
    claims = read_claims(kind, file, size)
    _check_size(claims.width, claims.height, kind, limits)
    video = Video(file, kind, claims)
    try:
        _check_size(*video.size, kind, limits)
    except VideoTooLarge:
        video.close()
        raise
    return video


def _turn(sampling: Sampling, position: Position) -> int:
    """Count the places to sample up to a frame; it is the next one's turn when this has grown."""
    if sampling.every_nth is not None:
        return position.number // sampling.every_nth
    return math.floor((position.at_ms + _ROUNDING_MS) * (sampling.fps or 1.0) / 1000)


def _check_size(width: int, height: int, kind: str, limits: Limits) -> None:
    if width * height > limits.max_pixels:
        raise VideoTooLarge(
            f"The {kind} video is {width} x {height} pixels, {width * height:,} a frame; this "
            f"model takes at most {limits.max_pixels:,}. Send a smaller video."
        )
