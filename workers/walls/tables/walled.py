"""A stranger's Parquet file, read by a process that has nothing; its rows are held to their form.

Its fork server is started for one list and ended with it: few jobs bring one.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import structlog

from jobs.archives import ArchiveError, Limits, ReaderLost
from jobs.buckets.locations import LONGEST_ADDRESS
from workers.walls.archives import conversation
from workers.walls.arena import HEADER, PIECE, Arena
from workers.walls.processes import ForkServer, ProcessDied, TookTooLong

log = structlog.get_logger(__name__)

_MODULE = "workers.walls.tables.server"
_STEP_S = 60.0
_NO_PIECES = Limits(
    max_members=0, max_member_bytes=0, max_total_bytes=0, max_name_chars=0, max_metadata_bytes=0
)
_BROKEN = "The Parquet file makes the process that reads it end. Write it anew."


class WalledTables:
    """Reads lists of paths (`jobs.buckets.lists.Tables`); safe to share between threads."""

    def __init__(self, memory: int) -> None:
        """Let each reader take `memory` bytes."""
        self._memory = memory

    def rows(
        self, file: BinaryIO, beat: Callable[[], None]
    ) -> Iterator[tuple[str | None, str | None]]:
        """Give path and custom_id of each row, None for what is no text.

        Raises ArchiveError, and ReaderLost when its process died.
        """
        size = file.seek(0, os.SEEK_END)
        memory = Arena.create("pixelmill-table", HEADER + PIECE)
        server = ForkServer(_MODULE)
        try:
            process = server.fork("tables", self._memory, [memory.fd])
            try:
                process.allow(_STEP_S)
                process.send({"table": {"size": size, "longest": LONGEST_ADDRESS}})
                for rows in conversation(process, memory, file, _NO_PIECES, beat):
                    yield from map(_held_to_form, rows)
            except ProcessDied as err:
                log.warning("table_reader_died", pid=process.pid, error=repr(err.__cause__))
                raise ReaderLost("corrupt_archive", _BROKEN) from err
            except (TookTooLong, TypeError, ValueError) as err:
                log.warning("table_reader_ended", pid=process.pid, error=repr(err))
                raise ArchiveError("corrupt_archive", _BROKEN) from err
            finally:
                process.close()
        finally:
            server.close()
            memory.close()


def _held_to_form(row: Any) -> tuple[str | None, str | None]:
    """Read a row that a process tells, which a file may have taken over; raises ValueError."""
    path, custom_id = row
    for each in (path, custom_id):
        if not isinstance(each, str | None) or len(each or "") > LONGEST_ADDRESS:
            raise ValueError("a row is a path and a name")
    return path, custom_id
