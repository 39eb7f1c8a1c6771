"""One film, inside the walls: frame after frame, each laid into shared memory when it is asked for.

    {"open": {size, limits}}           -> ["open", facts]
    {"begin": {sampling, after}}       -> ["begun"]
    {"next": seconds}                  -> ["frame", number, at_ms, end_ms, h, w]
                                          ["pause"]: so long has been decoded, and no frame is due
                                          ["end", damage, facts]
    whatever is wrong                  -> ["error", code, message, retryable]

The film's bytes come as an open file, which has no name.
"""

import os
import socket
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from models.media.films import Frame, Position, Video, open_video
from models.media.sampling import Sampling
from models.records.errors import InputError
from models.records.record import Limits
from workers.walls import wire
from workers.walls.arena import HEADER, Arena


class FilmServer:
    """Decodes one film for as long as it is asked to."""

    def __init__(self, own: socket.socket, target: int, film: int) -> None:
        self._own = own
        self._target = Arena(target, os.fstat(target).st_size)
        self._file = os.fdopen(film, "rb")
        self._video: Video | None = None
        self._steps: Iterator[Frame | None] = iter(())

    def run(self) -> None:
        """Serve one message after the other."""
        while True:
            ((what, given),) = wire.receive(self._own).items()
            try:
                answer = self._answer(what, given)
            except InputError as err:
                answer = ["error", err.code, str(err), err.retryable]
            except MemoryError:
                answer = ["error", "decoder_memory", "", False]
            except Exception as err:
                answer = ["error", "internal_error", f"{type(err).__name__}: {err}"[:500], False]
            wire.send(self._own, answer)

    def _answer(self, what: str, given: Any) -> list[Any]:
        if what == "open":
            self._video = open_video(self._file, given["size"], Limits(**given["limits"]))
            return ["open", asdict(self._video.facts)]
        assert self._video is not None
        if what == "begin":
            after = Position(*given["after"]) if given["after"] else None
            self._steps = self._video.steps(Sampling(**given["sampling"]), after)
            return ["begun"]
        return self._next(self._video, given)

    def _next(self, video: Video, seconds: float) -> list[Any]:
        until = time.monotonic() + seconds
        for frame in self._steps:
            if frame is not None:
                self._target.lay_down(HEADER, frame.pixels)
                return ["frame", *frame.position, frame.end_ms, *frame.pixels.shape[:2]]
            if time.monotonic() > until:
                return ["pause"]
        return ["end", video.damage, asdict(video.facts)]
