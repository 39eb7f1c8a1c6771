"""A job's manifest: the ordered list of its items, as a Parquet file in blob storage.

An item's position in the file is its index. An item says where its bytes lie: a run of bytes of a
blob (`raw`, or `zip` for a member with its local header), or a URL to fetch. Written and read as a
stream: ten million items fit where ten do.
"""

import hashlib
import threading
from collections.abc import Iterable
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from jobs.errors import InvalidInput, LineError
from jobs.storage import Storage

Encoding = Literal["raw", "zip", "url"]

# Rows read at once to serve one shard: some milliseconds of work, whatever the shard's size.
ROW_GROUP = 10_000

_SCHEMA = pa.schema(
    [
        ("custom_id", pa.string()),
        ("encoding", pa.dictionary(pa.int8(), pa.string())),
        ("blob", pa.dictionary(pa.int32(), pa.string())),
        ("offset", pa.int64()),
        ("length", pa.int64()),
        ("size", pa.int64()),
        ("url", pa.string()),
    ]
)


class Item(NamedTuple):
    """One image or video of a job, and where its bytes lie; a tuple, for jobs have millions."""

    custom_id: str
    encoding: Encoding
    blob: str = ""
    offset: int = 0
    # Bytes to read at `offset`, and bytes that they become.
    length: int = 0
    size: int = 0
    url: str = ""


def write_manifest(
    storage: Storage, name: str, items: Iterable[Item], *, max_items: int, max_errors: int
) -> int:
    """Write the items in order and give their number.

    Raises InvalidInput when there is none, when there are too many, or when two share a custom_id;
    then no manifest is left behind.
    """
    hashes = _Hashes()
    with storage.create(name) as sink:
        with pq.ParquetWriter(sink, _SCHEMA, compression="zstd", write_statistics=False) as writer:
            rows: list[Item] = []
            for item in items:
                rows.append(item)
                hashes.add(item.custom_id)
                if hashes.count > max_items:
                    raise InvalidInput(
                        f"The input has more than {max_items:,} items, the limit of one job. "
                        "Split it into several jobs.",
                        code="too_many_items",
                    )
                if len(rows) == ROW_GROUP:
                    writer.write_table(_table(rows))
                    rows.clear()
            if rows:
                writer.write_table(_table(rows))
        if hashes.count == 0:
            raise InvalidInput(
                "The input has no items: send at least one image.", code="empty_input"
            )
    _refuse_duplicates(storage, name, hashes, max_errors)
    return hashes.count


class Manifest:
    """A manifest opened for reading; safe to share between threads."""

    def __init__(self, storage: Storage, name: str) -> None:
        self._file = pq.ParquetFile(storage.open(name))
        self._lock = threading.Lock()
        self._group: tuple[int, pa.Table | None] = (-1, None)

    @property
    def total(self) -> int:
        """How many items the job has."""
        return int(self._file.metadata.num_rows)

    def items(self, first: int, count: int) -> list[Item]:
        """Give `count` items from index `first` on."""
        items: list[Item] = []
        while len(items) < count:
            position = first + len(items)
            if position >= self.total:
                raise IndexError(f"item {position} of a manifest with {self.total}")
            group, start = divmod(position, ROW_GROUP)
            # Objects are made of the rows that are asked for, not of the whole group.
            rows = self._read_group(group).slice(start, count - len(items))
            # By way of NumPy: names that repeat are then made once and not for every row.
            columns = [column.to_numpy().tolist() for column in rows.columns]
            items += [Item(*row) for row in zip(*columns, strict=True)]
        return items

    def blobs(self) -> set[str]:
        """Give the name of every blob that items point at."""
        groups = range(self._file.metadata.num_row_groups)
        found: set[str] = set()
        for group in groups:
            column = self._file.read_row_group(group, columns=["blob"]).column("blob")
            found.update(column.unique().to_pylist())
        return found - {""}

    def _read_group(self, group: int) -> pa.Table:
        # Neighbouring shards are read one after the other, so the last group is worth keeping.
        with self._lock:
            if self._group[0] != group:
                self._group = (group, self._file.read_row_group(group, use_threads=False))
            return self._group[1]


class _Hashes:
    """Eight bytes for each custom_id, so that looking for duplicates needs little memory."""

    def __init__(self) -> None:
        self.count = 0
        self._values = np.zeros(1024, dtype=np.uint64)

    def add(self, custom_id: str) -> None:
        if self.count == len(self._values):
            self._values = np.concatenate([self._values, np.zeros_like(self._values)])
        self._values[self.count] = _hash(custom_id)
        self.count += 1

    def repeated(self) -> frozenset[int]:
        values = np.sort(self._values[: self.count])
        return frozenset(int(value) for value in values[1:][values[1:] == values[:-1]])


def _hash(custom_id: str) -> int:
    digest = hashlib.blake2b(custom_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _refuse_duplicates(storage: Storage, name: str, hashes: _Hashes, max_errors: int) -> None:
    repeated = hashes.repeated()
    if not repeated:
        return
    faults = _duplicate_lines(storage, name, repeated, max_errors)
    if faults:
        storage.delete([name])
        raise InvalidInput(
            f"{faults[0]['message']} Give every item of a job a custom_id of its own.",
            code="duplicate_custom_id",
            lines=faults,
        )


def _duplicate_lines(
    storage: Storage, name: str, repeated: frozenset[int], max_errors: int
) -> list[LineError]:
    """Read the manifest once more and say which lines repeat which, 1-based."""
    seen: dict[str, int] = {}
    faults: list[LineError] = []
    line = 0
    file = pq.ParquetFile(storage.open(name))
    for batch in file.iter_batches(ROW_GROUP, columns=["custom_id"]):
        for custom_id in batch.column(0).to_pylist():
            line += 1
            if _hash(custom_id) not in repeated:
                continue
            if custom_id in seen and len(faults) < max_errors:
                text = f"Line {line} repeats custom_id {custom_id!r} of line {seen[custom_id]}."
                faults.append(
                    {
                        "code": "duplicate_custom_id",
                        "message": text,
                        "param": "custom_id",
                        "line": line,
                    }
                )
            seen.setdefault(custom_id, line)
    return faults


def _table(rows: list[Item]) -> pa.Table:
    columns = [
        pa.array([getattr(row, field.name) for row in rows], type=field.type) for field in _SCHEMA
    ]
    return pa.Table.from_arrays(columns, schema=_SCHEMA)
