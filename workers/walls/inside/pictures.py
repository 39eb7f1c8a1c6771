"""Pictures, inside the walls: members unpacked, hashed and decoded to pixels in shared memory.

One message asks for a run of items, whose bytes lie in `source`; pixels are laid end to end in
`target`, and answers go out together, now and then. When there is no room for the next picture,
what is there is told, and the process waits until the other side has used it.
"""

import hashlib
import os
import socket
import time
from typing import Any

from jobs.archives import ArchiveError, extract
from models.media.pictures import Picture, decode
from models.records.errors import InputError
from models.records.record import Limits
from workers.walls import wire
from workers.walls.arena import HEADER, KEPT, Arena

# Answers are told at once when so much time has passed: the other side has cores of its own.
_SOON_S = 0.004

# An answer: `[number, sha256, offset, h, w, channels, width, height]` of the original at the end,
# or `[number, sha256 or null, code, message, retryable]`.
Answer = list[Any]


class PictureServer:
    """Decodes runs of pictures."""

    def __init__(self, own: socket.socket, source: int, target: int) -> None:
        self._own = own
        self._source = Arena(source, os.fstat(source).st_size)
        self._target = Arena(target, os.fstat(target).st_size)
        self._answers: list[Answer] = []
        self._end = HEADER
        self._told_at = 0.0

    def run(self) -> None:
        """Serve one message after the other."""
        while True:
            asked = wire.receive(self._own)
            self._answers, self._end, self._told_at = [], HEADER, time.monotonic()
            limits = Limits(**asked["limits"])
            for number, item in enumerate(asked["items"], start=asked["first"]):
                self._target.note(number)
                # Not in one line: what is told on the way is told with a list of its own.
                answer = self._answer(number, item, asked, limits)
                self._answers.append(answer)
                if time.monotonic() - self._told_at > _SOON_S:
                    self._tell("more")
            self._tell("done")

    def _answer(self, number: int, item: Any, asked: Any, limits: Limits) -> Answer:
        offset, length, encoding, size = item
        sha256: str | None = None
        try:
            packed = self._source.piece(offset, length)
            data = extract(packed, encoding, limits.max_bytes, size)
            sha256 = hashlib.sha256(data).hexdigest()
            picture = decode(data, asked["channels"], limits, asked["least"])
            del data
            return [number, sha256, *self._laid_down(picture)]
        except InputError as err:
            return [number, sha256, err.code, str(err), err.retryable]
        except ArchiveError as err:
            return [number, sha256, err.code, str(err), False]
        except MemoryError:
            return [number, sha256, "decoder_memory", "", False]
        except Exception as err:
            return [number, sha256, "internal_error", f"{type(err).__name__}: {err}"[:500], False]

    def _laid_down(self, picture: Picture) -> tuple[int, ...]:
        pixels = picture.pixels
        if self._end + pixels.size > KEPT and self._end > HEADER:
            self._tell("full")
            wire.receive(self._own)
            self._end = HEADER
        offset = self._end
        self._end = self._target.lay_down(offset, pixels)
        return (offset, *pixels.shape, picture.width, picture.height)

    def _tell(self, what: str) -> None:
        answers, self._answers = self._answers, []
        wire.send(self._own, [what, answers])
        self._told_at = time.monotonic()
