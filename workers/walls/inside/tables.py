"""One stranger's Parquet file, inside the walls: its paths, and the names beside them.

{"table": {size, longest}}       the only question; the file's bytes are asked for as an archive's
-> ["read", offset, count]       answered with a number: so many bytes lie in shared memory
-> ["found", [[path, custom_id], …]]     rows in their order; null for what is no text
-> ["end"] or ["error", code, message]
"""

import io
import os
import socket
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from workers.walls import wire
from workers.walls.arena import Arena
from workers.walls.inside.archives import Asked

# Characters of one message; written as JSON, each takes six bytes at most.
_MOST_TOLD = 8 * 1024
_ROWS = 1000
_CODE = "corrupt_archive"

Row = tuple[str | None, str | None]


class TableServer:
    """Reads one Parquet file."""

    def __init__(self, own: socket.socket, memory: int) -> None:
        self._own, self._memory = own, Arena(memory, os.fstat(memory).st_size)

    def run(self) -> None:
        """Answer the one question."""
        given = wire.receive(self._own)["table"]
        file = _File(Asked(self._own, self._memory, given["size"]))
        try:
            self._tell(_rows(file, given["longest"]))
            answer: list[Any] = ["end"]
        except (pa.ArrowException, OSError, ValueError, KeyError) as err:
            answer = ["error", _CODE, f"It is no Parquet file that can be read: {_line(err)}"]
        except MemoryError:
            answer = ["error", _CODE, "It takes too much memory to read."]
        wire.send(self._own, answer)

    def _tell(self, rows: Iterator[Row]) -> None:
        told: list[Row] = []
        held = 0
        for row in rows:
            told.append(row)
            held += 16 + sum(len(each or "") for each in row)
            if held > _MOST_TOLD:
                wire.send(self._own, ["found", told])
                told, held = [], 0
        wire.send(self._own, ["found", told])


class _File(io.RawIOBase):
    """The file as pyarrow wants it."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._asked.seek(offset, whence)

    def tell(self) -> int:
        return self._asked.tell()

    def read(self, size: int | None = -1, /) -> bytes:
        return self._asked.read(-1 if size is None else size)


def _rows(file: Any, longest: int) -> Iterator[Row]:
    opened = pq.ParquetFile(file, pre_buffer=False)
    names = {name.lower(): name for name in opened.schema_arrow.names}
    if "path" not in names:
        raise ValueError("it has no column `path`")
    wanted = [names[each] for each in ("path", "custom_id") if each in names]
    for batch in opened.iter_batches(_ROWS, columns=wanted, use_threads=False):
        columns = [_texts(batch.column(name), longest) for name in wanted]
        names_of = columns[1] if len(columns) > 1 else [None] * len(batch)
        yield from zip(columns[0], names_of, strict=True)


def _texts(column: Any, longest: int) -> list[str | None]:
    """Give each text, null for all else: one too long for its message is no path."""
    values = column.to_pylist()
    return [each if isinstance(each, str) and len(each) <= longest else None for each in values]


def _line(err: Exception) -> str:
    return " ".join(str(err).split())[:200]
