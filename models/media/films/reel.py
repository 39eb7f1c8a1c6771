"""A film's frames, decoded one after the other, each with its time: what `Video` samples from."""

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, cast

import av
import numpy as np
from av.buffer import Buffer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from models.media.containers import Claims
from models.media.films.choosing import choose_stream
from models.media.films.clock import Clock
from models.media.films.complaints import Log
from models.media.films.conversion import Converter, Form, form_of
from models.media.films.damage import Damage
from models.media.films.deinterlacing import Deinterlacer
from models.media.films.frame import Position
from models.media.films.sizes import SizeQuestions, check_size, decoder_options
from models.media.films.source import open_container
from models.media.films.turning import Turn, read_turn
from models.media.memory import Pixels
from models.records.record import Limits

# Containers whose times may start anew in the middle.
_MAY_JUMP = ("MPEG-TS", "MPEG-PS")
# Containers that time packets alone: a frame is shown when the packet comes that lets it out.
_UNTIMED = ("AVI",)
# Containers whose index names every frame, and those that state how long they are.
_INDEXED = ("MP4",)
_TIMED = ("Matroska", "FLV", "WMV")
# Frames that are stored and never shown, in films without fault: references of a lossless cut.
_MAX_UNSHOWN = 16
_SHORT_MS = 1000
# Tracks that begin together may differ by what a rounded time loses.
_TOGETHER_MS = 1.0

# Errors of the container's reader without a packet between, after which there is no more to find.
_MAX_ERRORS = 10_000

_USUAL_MS = 40.0
_FASTEST_FPS = 1000


@dataclass(frozen=True, slots=True)
class _Note:
    """What is known of a frame before it passes any filter."""

    position: Position
    turn: Turn
    form: Form


@dataclass(frozen=True, slots=True)
class Shot:
    """A decoded frame, not yet converted. It is valid until the next one is asked for."""

    position: Position
    frame: VideoFrame
    turn: Turn
    form: Form


class Reel:
    """An open film; to be closed."""

    def __init__(
        self, file: BinaryIO, kind: str, claims: Claims, limits: Limits, threads: int
    ) -> None:
        """Open it and choose its stream; raises as `open_video` does."""
        self.kind, self._limits = kind, limits
        self.damage = Damage(is_cut=claims.is_cut)
        self._log = Log(kind)
        try:
            self._container = open_container(file, kind, limits)
        except BaseException:
            self._log.close()
            raise
        try:
            self._stream = choose_stream(self._container, kind)
            check_size(self._stream.width, self._stream.height, kind, limits)
            context = self._stream.codec_context
            context.thread_count = threads
            context.options = decoder_options(limits)
        except BaseException:
            self.close()
            raise
        self.clock = Clock(self._start_ms(), self._usual_ms(), may_jump=kind in _MAY_JUMP)
        self.decoded = self._read = self._left_out = 0
        self._first_packet: int | None = None
        self._held_back = 0
        self._latest_ms = 0.0
        # Milliseconds in a unit of each stream's time.
        self._units: dict[int, float] = {}
        self._unit = float(self._stream.time_base * 1000) if self._stream.time_base else 0.0
        self._questions = SizeQuestions(context, kind, limits)
        self._deinterlacer: Deinterlacer[_Note] = Deinterlacer()
        self._converter = Converter()

    @property
    def fps(self) -> float | None:
        """Frames a second as the container states them, on average."""
        rate = self._stream.guessed_rate or self._stream.average_rate
        return float(rate) if rate and 0 < rate <= _FASTEST_FPS else None

    @property
    def duration_ms(self) -> float | None:
        """How long the container says that the film is."""
        if self._stream.duration and self._stream.time_base:
            ahead = self._stream.start_time or 0
            end = float((ahead + self._stream.duration) * self._stream.time_base * 1000)
            return max(0.0, end - self._start_ms())
        return self._container.duration / 1000 if self._container.duration else None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as the container states them, as stored."""
        return self._stream.width, self._stream.height

    @property
    def stated(self) -> int:
        """How many frames the container's index says are shown; 0 where it does not."""
        return max(0, len(self._stream.index_entries) - self._left_out)

    def shots(self) -> Generator[Shot]:
        """Decode frame after frame. Raises VideoTooLarge for one that grows beyond the limits."""
        for frame in self._frames():
            check_size(frame.width, frame.height, self.kind, self._limits)
            note = self._note(frame)
            for whole, its in self._deinterlacer.pass_on(frame, note):
                yield Shot(its.position, whole, its.turn, its.form)
        for whole, its in self._deinterlacer.rest():
            yield Shot(its.position, whole, its.turn, its.form)

    def pixels(self, shot: Shot) -> Pixels | None:
        """Convert a shot: upright uint8 RGB (h, w, 3), memory of its own; None if it cannot be."""
        try:
            stored = self._converter.to_rgb(shot.frame, shot.form)
        except av.FFmpegError:
            self.damage.failed += 1
            return None
        return np.array(shot.turn.apply(stored), order="C")

    def close(self) -> None:
        """Let go of the file and the decoder's memory."""
        self._container.close()
        self._log.close()

    def _note(self, frame: VideoFrame) -> _Note:
        self.damage.patched += frame.is_corrupt
        unit = self._unit
        stamp = self._stamp(frame)
        duration = 0 if self.kind in _UNTIMED else frame.duration
        at_ms = self.clock.note(None if stamp is None else stamp * unit, duration * unit)
        self.decoded += 1
        return _Note(Position(self.decoded - 1, at_ms), _turn_of(frame), form_of(frame))

    def _stamp(self, frame: VideoFrame) -> int | None:
        """Give a frame's time in units of its stream; None where there is none."""
        if self.kind not in _UNTIMED:
            return frame.pts if frame.pts is not None else frame.dts
        if frame.dts is None or self._first_packet is None:
            return None
        if self.decoded == 0:
            # Decoders hold frames back to put them in order, the first for as long as the others.
            self._held_back = frame.dts - self._first_packet
        return frame.dts - self._held_back

    def _frames(self) -> Iterator[VideoFrame]:
        for packet in self._packets():
            self._read += packet.size > 0
            if self._first_packet is None:
                self._first_packet = packet.dts
            self._left_out += packet.is_discard
            self.damage.unread += packet.is_corrupt
            try:
                yield from self._stream.decode(packet)
            except av.FFmpegError:
                self._questions.ask(packet)
                self.damage.failed += 1
            self._note_complaints()
        self._note_complaints()
        self._compare_with_stated()

    def _note_complaints(self) -> None:
        reader, decoder = self._log.take(self._stream.codec_context.name)
        self.damage.unread += reader
        self.damage.patched += decoder > 0

    def _packets(self) -> "Iterator[Packet[VideoStream]]":
        """Read packet after packet, over what cannot be read, to the end of the film."""
        errors = 0
        while errors < _MAX_ERRORS:
            try:
                for packet in self._container.demux():
                    errors = 0
                    self._note_latest(packet)
                    if packet.stream is self._stream:
                        yield cast("Packet[VideoStream]", packet)
                return
            # PyAV looks up streams that FFmpeg has not told it of, where headers are broken.
            except (av.FFmpegError, IndexError):
                errors += 1
                self.damage.unread += 1

    def _note_latest(self, packet: "Packet[Stream]") -> None:
        if self.kind not in _TIMED or packet.pts is None:
            return
        index = packet.stream_index
        if index not in self._units:
            self._units[index] = float(packet.time_base * 1000)
        end = packet.pts + (packet.duration or 0)
        self._latest_ms = max(self._latest_ms, end * self._units[index])

    def _compare_with_stated(self) -> None:
        damage, stated = self.damage, self.stated
        damage.is_cut |= self._read < len(self._stream.index_entries)
        if self.kind in _INDEXED:
            # Of an interlaced film each field may be stored by itself.
            due = stated // 2 if self._deinterlacer.is_used else stated
            damage.is_short |= due - self.decoded > max(_MAX_UNSHOWN, due // 50)
        if self.kind in _TIMED and self._container.duration:
            whole_ms = self._container.duration / 1000
            damage.is_short |= whole_ms - self._latest_ms > max(_SHORT_MS, whole_ms / 100)

    def _start_ms(self) -> float:
        """Give the container's time at which the film begins: when its first track does."""
        start = (self._container.start_time or 0) / 1000
        stream = self._stream.start_time
        if stream is None or self._stream.time_base is None:
            return start
        own = float(stream * self._stream.time_base * 1000)
        if abs(own - start) < _TOGETHER_MS:
            return own
        # Sound begins before 0 with what its decoder needs and nobody hears.
        return min(own, max(start, 0.0))

    def _usual_ms(self) -> float:
        return 1000 / self.fps if self.fps else _USUAL_MS


def _turn_of(frame: VideoFrame) -> Turn:
    beside = cast("Mapping[str, Buffer]", frame.side_data)
    if not len(beside) or (matrix := beside.get("DISPLAYMATRIX")) is None:
        return Turn()
    return read_turn(bytes(matrix))
