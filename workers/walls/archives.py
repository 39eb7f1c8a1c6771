"""Archives read behind walls: the process that looks through one has no storage; it asks for bytes.

The parent reads for it, through the file that it was given, so that what is read counts as progress
and credentials stay here. See `inside/archives.py` for the messages.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any, BinaryIO, get_args

import structlog

from jobs.archives import (
    ArchiveError,
    ArchiveKind,
    Encoding,
    ErrorCode,
    Limits,
    Member,
    ReaderLost,
    Skipped,
)
from jobs.archives.members import SkipReason
from workers.walls import wire
from workers.walls.arena import HEADER, PIECE, Arena
from workers.walls.processes import DecoderProcess, ForkServer, ProcessDied, TookTooLong

log = structlog.get_logger(__name__)

# Between two messages an archive may be computed at for so long.
_STEP_S = 60.0

_BROKEN = (
    "The archive makes the process that reads it end, or never answer, so it is broken in a way "
    "that is not understood. Pack the files again and upload them anew."
)


class WalledArchives:
    """Reads archives, each in a process of its own (`jobs.inputs.archive_items.Archives`)."""

    def __init__(self, server: ForkServer, memory: int) -> None:
        """Fork from `server`; each process may take `memory` bytes."""
        self._server, self._memory = server, memory

    def walk(
        self, kind: ArchiveKind, file: BinaryIO, limits: Limits, beat: Callable[[], None]
    ) -> Iterator[Member | Skipped]:
        """Give every file of a zip or tar; raises ArchiveError, ReaderLost."""
        for found in self._asked("walk", kind, file, limits, beat):
            try:
                files = [_file_of(fields) for fields in found]
            except (TypeError, ValueError, IndexError) as err:
                raise ArchiveError("corrupt_archive", _BROKEN) from err
            yield from files

    def expand(
        self, kind: ArchiveKind, file: BinaryIO, limits: Limits, beat: Callable[[], None]
    ) -> Iterator[bytes]:
        """Give the tar that a compressed archive holds; raises ArchiveError."""
        return self._asked("expand", kind, file, limits, beat)

    def _asked(
        self, what: str, kind: ArchiveKind, file: BinaryIO, limits: Limits, beat: Callable[[], None]
    ) -> Iterator[Any]:
        size = file.seek(0, os.SEEK_END)
        question = {what: {"kind": kind, "size": size, "limits": asdict(limits)}}
        memory = Arena.create("pixelmill-archive", HEADER + PIECE)
        process: DecoderProcess | None = None
        try:
            # That there is no process to be had is not the archive's fault.
            process = self._server.fork("archives", self._memory, [memory.fd])
            try:
                process.allow(_STEP_S)
                process.send(question)
                yield from conversation(process, memory, file, limits, beat)
            except ProcessDied as err:
                log.warning("archive_reader_died", pid=process.pid, error=repr(err.__cause__))
                raise ReaderLost("corrupt_archive", _BROKEN) from err
            except (TookTooLong, TypeError, ValueError) as err:
                log.warning("archive_reader_ended", pid=process.pid, error=repr(err))
                raise ArchiveError("corrupt_archive", _BROKEN) from err
        finally:
            if process is not None:
                process.close()
            memory.close()


def conversation(
    process: DecoderProcess,
    memory: Arena,
    file: BinaryIO,
    limits: Limits,
    beat: Callable[[], None],
) -> Iterator[Any]:
    """Read for the process, and give what it finds, until it ends."""
    given = 0
    while True:
        what, *told = process.receive()
        beat()
        if what == "read":
            offset, count = map(int, told)
            if offset < 0 or count < 0:
                raise ValueError("nothing lies before the beginning of a file")
            file.seek(offset)
            data = file.read(min(count, PIECE))
            memory.write(HEADER, data)
            process.send(len(data))
        elif what == "piece":
            given += int(told[0])
            if given > 2 * limits.max_total_bytes:
                raise ValueError("it gives more than it may, and has not said so itself")
            yield memory.piece(HEADER, int(told[0])).tobytes()
            process.send("taken")
        elif what == "found":
            yield told[0]
        elif what == "error":
            code, message = told
            if code not in get_args(ErrorCode):
                raise ValueError(f"{code!r} is no code of an archive's fault")
            raise ArchiveError(code, str(message)[: wire.MOST_BYTES])
        else:
            return
        process.allow(_STEP_S)


def _file_of(fields: list[Any]) -> Member | Skipped:
    """Hold what was found to what an archive can hold; raises ValueError, TypeError."""
    if len(fields) == 2:
        name, reason = fields
        if not isinstance(name, str) or reason not in get_args(SkipReason):
            raise ValueError("a file is skipped for no reason that there is")
        return Skipped(name, reason)
    name, offset, length, size, encoding, fault, metadata = fields
    numbers = (offset, length, size)
    if not isinstance(name, str) or not all(isinstance(each, int) for each in numbers):
        raise ValueError("a member is a name and numbers")
    if min(numbers) < 0 or encoding not in get_args(Encoding):
        raise ValueError("a member lies nowhere")
    if not isinstance(metadata, str | None):
        raise ValueError("metadata are text")
    code_and_text = None if fault is None else (fault[0], str(fault[1]))
    return Member(name, offset, length, size, encoding, code_and_text, metadata)
