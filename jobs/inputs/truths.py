"""What is true of an evaluation's items: as its caller sends it, and as the job keeps it.

    {"custom_id": "a.jpg", "class": "cat"}       a line an item, in any order
            │
            ▼ found by its custom_id while the items are listed
    truth-….parquet                              a row an item, in the order of the items

What a truth says is not known here (models.contracts.truth). Both are read in bounded memory: of a
caller's file only the names and their places are kept.
"""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.base.errors import InvalidInput
from jobs.base.json_text import read_json
from jobs.base.storage import Storage

LONGEST_TRUTH = 4 * 1024 * 1024
"""Bytes of what is true of one item, as JSON."""

_CHUNK = 1024 * 1024
_VALUES_A_LINE = 200_000
# Of the rows that are written, and read again, at once.
_GROUP_ROWS, _GROUP_BYTES = 1000, 1024 * 1024
_SCHEMA = pa.schema([("truth", pa.string())])


class TruthLines:
    """A caller's file of truths; each is taken once, or more often where names repeat."""

    def __init__(
        self, stream: BinaryIO, most: int, beat: Callable[[], None] = lambda: None
    ) -> None:
        """Read where each line lies; raises InvalidInput for one that is at fault."""
        self._stream = stream
        self._places: dict[str, tuple[int, int, int]] = {}
        self._untaken: dict[str, int] = {}
        end = 0
        for number, line in _placed_lines(stream):
            start, end = end, end + len(line)
            if not line.strip():
                continue
            name = _name_of(_parsed(line, number), number)
            if name in self._places:
                raise _fault(f"repeats custom_id {name!r} of an earlier one", number)
            if len(self._places) == most:
                raise InvalidInput(
                    f"The truth has more than {most:,} lines, the limit of one evaluation.",
                    code="too_many_items",
                )
            self._places[name] = number, start, len(line)
            self._untaken[name] = number
            beat()

    def take(self, custom_id: str) -> tuple[dict[str, Any], int]:
        """Give an item's line and its number; raises InvalidInput where there is none."""
        place = self._places.get(custom_id)
        if place is None:
            raise InvalidInput(
                f"Nothing says what is true of {custom_id!r}: give the truth a line for every item "
                "of the input.",
                code="truth_missing",
                param="truth_file_id",
            )
        self._untaken.pop(custom_id, None)
        number, start, length = place
        self._stream.seek(start)
        return _parsed(_read_exactly(self._stream, length), number), number

    def check_all_taken(self) -> None:
        """Raise InvalidInput naming the first line whose item is not there."""
        for name, number in self._untaken.items():
            raise _fault(f"is about {name!r}, which is no item of the input", number)


class TruthWriter:
    """Writes truths in the order of their items."""

    def __init__(self, sink: BinaryIO) -> None:
        self._parquet = pq.ParquetWriter(sink, _SCHEMA, compression="zstd")
        self._waiting: list[str] = []
        self._bytes = 0

    def write(self, truth: str) -> None:
        """Add the truth of the next item, as JSON."""
        self._waiting.append(truth)
        self._bytes += len(truth)
        if len(self._waiting) == _GROUP_ROWS or self._bytes > _GROUP_BYTES:
            self._flush()

    def close(self) -> None:
        """Write what is left, and the end of the file."""
        self._flush()
        self._parquet.close()

    def _flush(self) -> None:
        if self._waiting:
            self._parquet.write_table(pa.table({"truth": self._waiting}, schema=_SCHEMA))
            self._waiting.clear()
            self._bytes = 0


@contextmanager
def writing_truths(storage: Storage, name: str) -> Iterator[TruthWriter]:
    """Write a blob of truths; it exists once the block has ended without an exception."""
    with storage.create(name) as sink:
        writer = TruthWriter(sink)
        yield writer
        writer.close()


def read_truths(storage: Storage, name: str) -> Iterator[str]:
    """Read the truths of all items in their order, as JSON; raises BlobMissing."""
    file = pq.ParquetFile(storage.open(name))
    for group in range(file.metadata.num_row_groups):
        yield from file.read_row_group(group, use_threads=False)["truth"].to_pylist()


def _placed_lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Give every line, blank ones too, with its number and its end."""
    reader = io.BufferedReader(stream, _CHUNK)  # type: ignore[type-var]  # a RawIOBase
    try:
        lines = iter(lambda: reader.readline(LONGEST_TRUTH + 1), b"")
        for number, line in enumerate(lines, start=1):
            if len(line) > LONGEST_TRUTH:
                raise _fault(f"is longer than {LONGEST_TRUTH:,} bytes", number)
            yield number, line
    finally:
        # The stream is read again, and would be closed with its reader.
        reader.detach()


def _parsed(line: bytes, number: int) -> dict[str, Any]:
    try:
        value = read_json(line, _VALUES_A_LINE)
    except (ValueError, RecursionError) as err:
        raise _fault(f"is not valid JSON: {err}", number) from err
    if not isinstance(value, dict):
        raise _fault('is no JSON object, such as {"custom_id": "a.jpg", "class": "cat"}', number)
    return value


def _name_of(value: dict[str, Any], number: int) -> str:
    name = value.get("custom_id")
    if not isinstance(name, str):
        raise _fault("has no `custom_id` that names its item", number)
    return name


def _read_exactly(stream: BinaryIO, length: int) -> bytes:
    parts = bytearray()
    while len(parts) < length and (part := stream.read(length - len(parts))):
        parts += part
    return bytes(parts)


def _fault(text: str, number: int) -> InvalidInput:
    message = f"Line {number} of the truth {text}."
    code, param = "invalid_truth", "truth_file_id"
    line = {"code": code, "message": message, "param": param, "line": number}
    return InvalidInput(message, code=code, param=param, lines=[line])  # type: ignore[list-item]
