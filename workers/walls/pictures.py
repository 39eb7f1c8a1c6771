"""Pictures decoded behind walls, as a decode thread sees it: bytes in, pixels out, in order."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from jobs.results.segments import ItemError
from models.media.pictures import Picture
from models.records.errors import InputError
from models.records.record import PIXEL_CEILING, Limits
from workers.walls.answers import CRASHED, TOO_LONG, as_error
from workers.walls.arena import HEADER, KEPT, Arena
from workers.walls.processes import DecoderProcess, ForkServer, ProcessDied, TookTooLong

_BYTES_A_SECOND = 1_000_000
# An item that is computed at for so long may be a large one, or a bomb.
_LONG_S = 1.0
# Items of one message.
_MOST_ITEMS = 64
# Both sides of shared memory and the decoder's own hold about three times as much.
_SWOLLEN_BYTES = 4 * 1024 * 1024
# Addresses, not memory: files at the most, and the largest picture's pixels.
_SOURCE_BYTES = 1024**3
_TARGET_BYTES = 3 * PIXEL_CEILING + 2 * KEPT


@dataclass(frozen=True, slots=True)
class Packed:
    """One item as it is stored: raw, or a member of an archive that becomes `size` bytes."""

    content: bytes | memoryview
    encoding: str
    size: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What a network asks of its pictures; see `models.media.pictures.decode`."""

    channels: int
    limits: Limits
    least: int | None = None


@dataclass(frozen=True, slots=True)
class Decoded:
    """What became of an item. The pixels last until the next one is asked for."""

    number: int
    sha256: str | None
    picture: Picture | None = None
    error: ItemError | None = None


class PictureDecoders:
    """As many decoder processes as are used at once; safe to share between threads."""

    def __init__(self, server: ForkServer, memory: int, seconds: float = 20.0) -> None:
        """Fork from `server`; each process may take `memory` bytes.

        `seconds` is what any picture may compute; a second for each of its megabytes comes on top.
        """
        self._server, self._memory, self._seconds = server, memory, seconds
        self._lock = threading.Lock()
        self._idle: list[_Decoder] = []
        self._is_closed = False

    def decode(
        self, items: Sequence[Packed], asked: Asked, beat: Callable[[], None] = lambda: None
    ) -> Iterator[Decoded]:
        """Decode items in order; one that ends or holds its process costs itself alone.

        `beat` is called whenever there is progress. Raises ProcessDied when no process is to be
        had.
        """
        run = _Run(items)
        while run.next < len(items):
            if (error := run.errors.get(run.next)) is not None:
                run.next += 1
                yield Decoded(run.next - 1, None, error=error)
                continue
            # A suspect runs in a process that nothing ran in before.
            decoder, is_sound = self._take(fresh=run.is_at_suspect), False
            try:
                for decoded in decoder.decode(items, run.next, run.stop(), asked, beat):
                    run.next = decoded.number + 1
                    beat()
                    yield decoded
                is_sound = not decoder.has_stepped_back
            except ProcessDied:
                if decoder.has_begun:
                    run.note_death(decoder.at)
                elif decoder.is_new:
                    raise
                # Else it had died while it was idle, which is no item's fault.
            except TookTooLong:
                run.errors[run.place(decoder.at)] = TOO_LONG
            finally:
                # Whoever asked may have gone away in the middle: then it is not sound either.
                self._put_back(decoder, is_sound=is_sound)

    def rest(self, keep: int) -> None:
        """End idle processes but a few, and all that hold what large items took of memory."""
        with self._lock:
            lean = [each for each in self._idle if not each.is_swollen][:keep]
            ended = [each for each in self._idle if each not in lean]
            self._idle = lean
        for decoder in ended:
            decoder.close()

    def close(self) -> None:
        """End every process that is idle; those at work end when they are put back."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for decoder in idle:
            decoder.close()

    def _take(self, *, fresh: bool) -> "_Decoder":
        with self._lock:
            if self._idle and not fresh:
                return self._idle.pop()
        return _Decoder(self._server, self._memory, self._seconds)

    def _put_back(self, decoder: "_Decoder", *, is_sound: bool) -> None:
        with self._lock:
            if is_sound and not self._is_closed:
                self._idle.append(decoder)
                return
        decoder.close()


class _Run:
    """How far a run of items has come, and what is known of those that made trouble."""

    def __init__(self, items: Sequence[Packed]) -> None:
        self.next = 0
        self.errors: dict[int, ItemError] = {}
        self._items = items
        # Items that a process has died of once: each is tried once more, alone.
        self._suspects: set[int] = set()

    @property
    def is_at_suspect(self) -> bool:
        """Whether the next item is one that a process has died of."""
        return self.next in self._suspects

    def stop(self) -> int:
        """Say before which item the next message ends."""
        held, stop = len(self._items[self.next].content), self.next + 1
        if self.is_at_suspect:
            return stop
        while stop < min(len(self._items), self.next + _MOST_ITEMS):
            held += len(self._items[stop].content)
            if held > KEPT or stop in self._suspects or stop in self.errors:
                break
            stop += 1
        return stop

    def place(self, at: int) -> int:
        """Hold what a process noted to what it can be."""
        return at if self.next <= at < len(self._items) else self.next

    def note_death(self, at: int) -> None:
        """A process has died at an item: of itself, or of something before it."""
        place = self.place(at)
        if place in self._suspects:
            self.errors[place] = CRASHED
        self._suspects.add(place)


class _Decoder:
    """One process with its memory."""

    def __init__(self, server: ForkServer, memory: int, seconds: float) -> None:
        self._seconds = seconds
        self._most = 0
        self.has_stepped_back = False
        # Whether it has done nothing yet, and whether a message has reached it since it was taken.
        self.is_new, self.has_begun = True, False
        # The item that was seen last, and what the process had computed then.
        self._seen = (-1, 0.0)
        with ExitStack() as undone:
            self._source = Arena.create("pixelmill-source", _SOURCE_BYTES)
            undone.callback(self._source.close)
            self._target = Arena.create("pixelmill-pixels", _TARGET_BYTES)
            undone.callback(self._target.close)
            fds = [self._source.fd, self._target.fd]
            self._process: DecoderProcess = server.fork("pictures", memory, fds)
            undone.pop_all()

    @property
    def is_swollen(self) -> bool:
        """Whether more memory than small items need is held for what comes next."""
        return self._most > _SWOLLEN_BYTES

    @property
    def at(self) -> int:
        """The item that the process was at last."""
        return self._target.noted()

    def decode(
        self, items: Sequence[Packed], start: int, stop: int, asked: Asked, beat: Callable[[], None]
    ) -> Iterator[Decoded]:
        """Decode some of the items; raises ProcessDied, TookTooLong."""
        self._target.note(start)
        self._seen, self.has_begun = (-1, 0.0), False
        message = {**asdict(asked), "first": start, "items": self._sent(items[start:stop])}
        self._process.send(message)
        self.has_begun = True
        what, done, told, reach = "more", start, -1, 0
        while what != "done":
            if told != done:  # only what comes further has more time
                self._process.allow(self._seconds + _largest(items[done:stop]) / _BYTES_A_SECOND)
                told = done
            what, answers = self._receive(stop - done, beat)
            for answer in answers:
                decoded, end = self._read(answer, done, asked)
                done, reach = done + 1, max(reach, end)
                yield decoded
            if what == "full":
                self._process.send("go on")
        if done != stop:
            raise ProcessDied
        self.is_new = False
        self._give_memory_back(items[start:stop], reach)

    def _receive(self, most: int, beat: Callable[[], None]) -> tuple[str, list[Any]]:
        """Wait for at most so many answers; raises ProcessDied, TookTooLong."""
        try:
            what, answers = self._process.receive(partial(self._look, beat))
            if what not in ("more", "full", "done") or len(answers) > most:
                raise ValueError("the process says what none says")
        except (TypeError, ValueError) as err:
            raise ProcessDied from err
        return what, answers

    def close(self) -> None:
        """End the process and let its memory go."""
        self._process.close()
        self._source.close()
        self._target.close()

    def _look(self, beat: Callable[[], None]) -> None:
        """See the process at work: what computes for long at one item steps behind the others."""
        beat()
        at, computed_s = self.at, self._process.computed_s()
        if at != self._seen[0]:
            self._seen = at, computed_s
        elif computed_s - self._seen[1] > _LONG_S and not self.has_stepped_back:
            self._process.step_back()
            self.has_stepped_back = True

    def _sent(self, items: Sequence[Packed]) -> list[tuple[int, int, str, int]]:
        """Copy items into shared memory; gives offset, length, encoding and size of each."""
        sent, end = [], HEADER
        for item in items:
            self._source.write(end, item.content)
            sent.append((end, len(item.content), item.encoding, item.size))
            end += len(item.content)
        return sent

    def _read(self, answer: Any, number: int, asked: Asked) -> tuple[Decoded, int]:
        """Hold an answer to what was asked; gives it, and where its pixels end.

        Raises ProcessDied for what no sound process says: this one is ended.
        """
        try:
            told, sha256, *rest = answer
            if told != number or not isinstance(sha256, str | None):
                raise ValueError("the answer is to another item")
            if isinstance(rest[0], str):
                return Decoded(number, sha256, error=as_error(rest)), 0
            offset, height, width, channels, full_width, full_height = map(int, rest)
            shape = (height, width, channels)
            if channels != asked.channels or full_width * full_height > asked.limits.max_pixels:
                raise ValueError("the pixels are none that were asked for")
            picture = Picture(self._target.pick_up(offset, shape), full_width, full_height)
            return Decoded(number, sha256, picture), offset + picture.pixels.size
        except InputError as err:
            error = ItemError(err.code, str(err), err.retryable)
            return Decoded(number, None, error=error), 0
        except (ValueError, TypeError, IndexError) as err:
            raise ProcessDied from err

    def _give_memory_back(self, items: Sequence[Packed], reach: int) -> None:
        """Keep what the next items need, and not what large ones took."""
        sent = sum(len(item.content) for item in items)
        self._most = max(self._most, reach, sent)
        if reach > KEPT:
            self._target.give_back_beyond()
        if sent > KEPT:
            self._source.give_back_beyond()


def _largest(items: Sequence[Packed]) -> int:
    """Give the bytes of the largest item, packed or unpacked."""
    return max((max(len(each.content), each.size) for each in items), default=0)
