"""One archive, inside the walls: walked, or expanded to a tar; its bytes are asked for.

{"walk" | "expand": {kind, size, limits}}  the only question; then, until the end,
-> ["read", offset, count]       answered with a number: so many bytes lie in shared memory
-> ["found", [[…], …]]           files of the archive: the fields of Member or Skipped
-> ["piece", count]              of the tar, in shared memory; answered when it was taken
-> ["end"] or ["error", code, message]
"""

import os
import socket
from collections.abc import Iterator
from dataclasses import astuple
from typing import Any, BinaryIO, cast

from jobs.archives import ArchiveError, Limits, Member, Skipped, expand, walk
from workers.walls import wire
from workers.walls.arena import HEADER, PIECE, Arena

# Bytes of one message, as far as names and metadata go.
_MOST_TOLD = 32 * 1024
# Bytes that are asked for at a time, at least.
_LEAST_AHEAD = 16 * 1024


class ArchiveServer:
    """Reads one archive."""

    def __init__(self, own: socket.socket, memory: int) -> None:
        self._own, self._memory = own, Arena(memory, os.fstat(memory).st_size)

    def run(self) -> None:
        """Answer the one question."""
        ((what, given),) = wire.receive(self._own).items()
        limits = Limits(**given["limits"])
        file = cast("BinaryIO", Asked(self._own, self._memory, given["size"]))
        try:
            if what == "walk":
                self._tell_found(walk(given["kind"], file, limits))
            else:
                self._tell_pieces(expand(given["kind"], file, limits))
            answer: list[Any] = ["end"]
        except ArchiveError as err:
            answer = ["error", err.code, str(err)]
        except MemoryError:
            answer = ["error", "archive_too_large", "The archive takes too much memory to read."]
        wire.send(self._own, answer)

    def _tell_found(self, found: Iterator[Member | Skipped]) -> None:
        told: list[tuple[Any, ...]] = []
        held = 0
        for each in found:
            told.append(astuple(each))
            held += 256 + 4 * len(each.name)
            if isinstance(each, Member):
                held += 4 * len(each.metadata or "") + 4 * len(str(each.fault or ""))
            if held > _MOST_TOLD:
                wire.send(self._own, ["found", told])
                told, held = [], 0
        wire.send(self._own, ["found", told])

    def _tell_pieces(self, pieces: Iterator[bytes]) -> None:
        for piece in pieces:
            for start in range(0, len(piece), PIECE):
                part = piece[start : start + PIECE]
                self._memory.write(HEADER, part)
                wire.send(self._own, ["piece", len(part)])
                wire.receive(self._own)


class Asked:
    """A file that the other side holds: what is read is asked for, and some of what follows.

    An archive of small members is read header by header, each a few hundred bytes behind the last.
    The further such reading goes on, the more is asked for at a time.
    """

    def __init__(self, own: socket.socket, memory: Arena, size: int) -> None:
        self._own, self._memory, self._size, self._at = own, memory, size, 0
        self._block, self._block_at, self._ahead = b"", 0, _LEAST_AHEAD

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move; gives where to."""
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        """Give the place."""
        return self._at

    def read(self, count: int = -1) -> bytes:
        """Read so many bytes, or all that are left."""
        left = max(self._size - self._at, 0)
        wanted = left if count < 0 else min(count, left)
        parts = []
        while wanted > 0:
            start = self._at - self._block_at
            part = self._block[start : start + wanted] if start >= 0 else b""
            if not part:
                if not self._ask(wanted):
                    break
                continue
            parts.append(part)
            self._at, wanted = self._at + len(part), wanted - len(part)
        return b"".join(parts)

    def _ask(self, wanted: int) -> int:
        """Ask for the block that begins here; gives its length, 0 when there is nothing."""
        skipped = self._at - (self._block_at + len(self._block))
        follows = 0 <= skipped < self._ahead
        self._ahead = min(2 * self._ahead, PIECE) if follows else _LEAST_AHEAD
        wire.send(self._own, ["read", self._at, min(max(wanted, self._ahead), PIECE)])
        got = int(wire.receive(self._own))
        self._block, self._block_at = self._memory.piece(HEADER, got).tobytes(), self._at
        return got
