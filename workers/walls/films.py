"""A film decoded behind walls, as a video's run sees it: the same as `models.media.films.Video`."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any, BinaryIO, Self

from jobs.results.segments import ItemError
from models.media.films import Facts, Frame, Position
from models.media.sampling import Sampling
from models.records.errors import InputError
from models.records.record import Limits
from workers.walls.answers import CRASHED, TOO_LONG, as_error
from workers.walls.arena import HEADER, Arena
from workers.walls.processes import ForkServer, ProcessDied, TookTooLong

# Decoding answers after a slice, whatever it has found by then; a step may compute for much longer.
_SLICE_S, _STEP_S = 0.1, 30.0
_LONGEST_DAMAGE = 2000


class FilmError(Exception):
    """The film cannot be decoded, or not to its end; `error` says why."""

    def __init__(self, error: ItemError) -> None:
        super().__init__(error.message)
        self.error = error


class FilmCrashed(FilmError):
    """The process of the film has died; another may come further."""

    def __init__(self) -> None:
        super().__init__(CRASHED)


class FilmDecoders:
    """Opens films, each in a process of its own."""

    def __init__(self, server: ForkServer, memory: int) -> None:
        """Fork from `server`; each process may take `memory` bytes."""
        self._server, self._memory = server, memory

    def open(
        self, file: BinaryIO, size: int, limits: Limits, beat: Callable[[], None] = lambda: None
    ) -> "Film":
        """Open a film of `size` bytes in an open file; raises FilmError.

        `beat` is called now and then while its process is waited for. Raises ProcessDied when none
        is to be had.
        """
        return Film(self._server, self._memory, file, size, limits, beat)


class Film:
    """An open film; to be closed. One thread at a time may use it."""

    def __init__(
        self,
        server: ForkServer,
        memory: int,
        file: BinaryIO,
        size: int,
        limits: Limits,
        beat: Callable[[], None],
    ) -> None:
        self.damage: str | None = None
        self._limits, self._beat = limits, beat
        self._memory = Arena.create("pixelmill-frame", HEADER + 3 * limits.max_pixels + HEADER)
        try:
            file.flush()
            file.seek(0)
            self._process = server.fork("films", memory, [self._memory.fd, file.fileno()])
        except BaseException:
            self._memory.close()
            raise
        try:
            answer = self._ask({"open": {"size": size, "limits": asdict(limits)}}, "open")
            self.facts = Facts(**answer[0])
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The id of the film's process."""
        return self._process.pid

    def frames(self, sampling: Sampling) -> Iterator[Frame]:
        """Give the sampled frames; raises FilmError."""
        return (frame for frame in self.steps(sampling) if frame is not None)

    def steps(self, sampling: Sampling, after: Position | None = None) -> Iterator[Frame | None]:
        """Give the sampled frames after a position, and None whenever a while has passed without.

        Raises FilmError, and FilmCrashed when another process might come further.
        """
        place = None if after is None else [int(after.number), float(after.at_ms)]
        self._ask({"begin": {"sampling": asdict(sampling), "after": place}}, "begun")
        while True:
            what, *told = self._answer({"next": _SLICE_S})
            if what == "end":
                self.damage, self.facts = self._end(told)
                return
            yield self._frame(told) if what == "frame" else None

    def close(self) -> None:
        """End the film's process."""
        self._process.close()
        self._memory.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, message: object, wanted: str) -> list[Any]:
        what, *told = self._answer(message)
        if what != wanted:
            raise FilmCrashed
        return told

    def _answer(self, message: object) -> list[Any]:
        """Ask for a step; raises FilmError for what is told, or happens, instead of an answer."""
        try:
            self._process.allow(_STEP_S)
            self._process.send(message)
            answer = self._process.receive(self._beat)
            what, *told = answer
            if what == "error":
                raise FilmError(as_error(told))
        except TookTooLong as err:
            raise FilmError(TOO_LONG) from err
        except (ProcessDied, TypeError, ValueError) as err:
            raise FilmCrashed from err
        return list(answer)

    def _frame(self, told: list[Any]) -> Frame:
        """Copy a frame out of shared memory, where the next one is written over it."""
        try:
            number, at_ms, end_ms, height, width = told
            if height * width > self._limits.max_pixels:
                raise ValueError("the frame is larger than was allowed")
            pixels = self._memory.pick_up(HEADER, (int(height), int(width), 3)).copy()
            return Frame(Position(int(number), float(at_ms)), float(end_ms), pixels)
        except InputError as err:
            raise FilmError(ItemError(err.code, str(err), err.retryable)) from err
        except (TypeError, ValueError) as err:
            raise FilmCrashed from err

    def _end(self, told: list[Any]) -> tuple[str | None, Facts]:
        try:
            damage, facts = told
            return None if damage is None else str(damage)[:_LONGEST_DAMAGE], Facts(**facts)
        except (TypeError, ValueError) as err:
            raise FilmCrashed from err


def spooled_film(
    decoders: FilmDecoders, content: bytes, limits: Limits, beat: Callable[[], None]
) -> Film:
    """Open a film whose bytes are in memory; raises FilmError."""
    with tempfile.TemporaryFile() as file:
        file.write(content)
        return decoders.open(file, len(content), limits, beat)
