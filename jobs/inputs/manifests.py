"""A job's manifest: the ordered list of its items, as a Parquet file in blob storage.

An item's position in the file is its index. An item says where its bytes lie: a run of bytes of a
blob (`raw`, or as an archive packs a member), a URL to fetch, or an object of somebody's bucket as
it was when it was listed; or why nobody can read it (`refused`): such an item is errored without a
look at its bytes. Written and read as a stream: ten
million items fit where ten do.

A manifest that was written before there were faults, metadata, ETags and archives in buckets has no
such columns and is read all the same.
"""

import threading
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain, islice
from typing import BinaryIO, Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs.base.errors import InvalidInput, LineError
from jobs.base.parquet import codec_for
from jobs.base.storage import Storage
from jobs.inputs.addresses import shown_url
from jobs.inputs.repeats import Names, Numbering, repeated_lines

Encoding = Literal["raw", "zip", "sparse", "url", "refused", "object"]
# What becomes of names that repeat: a caller's own are refused, those of files told apart.
Repeats = Literal["refused", "told_apart"]

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
        ("error_code", pa.dictionary(pa.int8(), pa.string())),
        ("error_message", pa.string()),
        ("metadata", pa.string()),
        ("etag", pa.string()),
    ]
)
# Where items may be members of archives in buckets. All other manifests are read by workers of the
# version before, too.
_SCHEMA_OF_ARCHIVES = _SCHEMA.append(pa.field("object_size", pa.int64()))


class Item(NamedTuple):
    """One image or video of a job, and where its bytes lie; a tuple, for jobs have millions."""

    custom_id: str
    encoding: Encoding
    # Of what lies in a bucket, instead of a blob: for whom and by which connection it is read
    # (jobs.buckets.sources.Owner).
    blob: str = ""
    offset: int = 0
    # Bytes to read at `offset`, and bytes that they become.
    length: int = 0
    size: int = 0
    # Of an object its address, such as s3://bucket/key; of a member of an archive in a bucket that
    # of the archive.
    url: str = ""
    # Of a refused item: why it is errored.
    error_code: str = ""
    error_message: str = ""
    # JSON text of an object: what came beside the item and belongs to it.
    metadata: str | None = None
    # Of an object, or the archive: what its store called it when it was listed.
    etag: str = ""
    # Of a member of an archive in a bucket: the archive's bytes.
    object_size: int = 0

    @property
    def lies_in_bucket(self) -> bool:
        """Whether its bytes are read from somebody's bucket, and not from the storage."""
        return bool(self.url) and self.encoding != "url"

    @property
    def shown_url(self) -> str | None:
        """The URL that it was named by, as its row shows it."""
        return shown_url(self.url) if self.encoding == "url" else None


def write_manifest(
    storage: Storage,
    name: str,
    items: Iterable[Item],
    *,
    max_items: int,
    max_errors: int,
    repeats: Repeats = "refused",
    in_archives_of_buckets: bool = False,
) -> int:
    """Write the items in order and give their number.

    Raises InvalidInput when there is none, when there are too many, or when two share a custom_id
    that the caller gave; then no manifest is left behind.
    """
    names = Names()
    schema = _SCHEMA_OF_ARCHIVES if in_archives_of_buckets else _SCHEMA
    with storage.create(name) as sink:
        _write(sink, schema, _counted(items, names, max_items))
        if names.count == 0:
            raise InvalidInput(
                "The input has no items: send at least one image.", code="empty_input"
            )
    if repeats == "refused":
        _refuse_repeats(storage, name, names, max_errors)
    else:
        _tell_apart(storage, name, schema, names)
    return names.count


def _counted(items: Iterable[Item], names: Names, max_items: int) -> Iterator[Item]:
    for item in items:
        names.add(item.custom_id)
        if names.count > max_items:
            raise InvalidInput(
                f"The input has more than {max_items:,} items, the limit of one job. "
                "Split it into several jobs.",
                code="too_many_items",
            )
        yield item


def _write(sink: BinaryIO, schema: pa.Schema, items: Iterable[Item]) -> None:
    rows = iter(items)
    groups = iter(lambda: list(islice(rows, ROW_GROUP)), [])
    # Before the first is written, how large it is says how it is compressed.
    first = _table(schema, next(groups, []))
    codec = codec_for(first)
    with pq.ParquetWriter(sink, schema, compression=codec, write_statistics=False) as writer:
        for table in chain([first], map(partial(_table, schema), groups)):
            writer.write_table(table)


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
            table = self._file.read_row_group(group, columns=["blob", "url"])
            stored = table.filter(pc.equal(table.column("url"), ""))
            found.update(stored.column("blob").unique().to_pylist())
        return found - {""}

    def _read_group(self, group: int) -> pa.Table:
        # Neighbouring shards are read one after the other, so the last group is worth keeping.
        with self._lock:
            if self._group[0] != group:
                self._group = (group, self._file.read_row_group(group, use_threads=False))
            return self._group[1]


def _refuse_repeats(storage: Storage, name: str, names: Names, max_errors: int) -> None:
    repeated = names.repeated()
    if not len(repeated):
        return
    found = repeated_lines(_custom_ids(storage, name), repeated, max_errors)
    if found:
        storage.delete([name])
        faults = [_fault(*each) for each in found]
        raise InvalidInput(
            f"{faults[0]['message']} Give every item of a job a custom_id of its own.",
            code="duplicate_custom_id",
            lines=faults,
        )


def _fault(line: int, first: int, custom_id: str) -> LineError:
    return {
        "code": "duplicate_custom_id",
        "message": f"Line {line} repeats custom_id {custom_id!r} of line {first}.",
        "param": "custom_id",
        "line": line,
    }


def _tell_apart(storage: Storage, name: str, schema: pa.Schema, names: Names) -> None:
    """Write the manifest once more, with numbers behind the names that repeat, if any does."""
    numbering = Numbering(names)
    if not numbering.is_needed:
        return
    first = Manifest(storage, name)
    # The first one is read to its end before the second takes its place, which happens at once.
    with storage.create(name) as sink:
        _write(sink, schema, _numbered(first, numbering))


def _numbered(manifest: Manifest, numbering: Numbering) -> Iterator[Item]:
    for first in range(0, manifest.total, ROW_GROUP):
        items = manifest.items(first, min(ROW_GROUP, manifest.total - first))
        given = numbering.name_all([item.custom_id for item in items])
        for item, custom_id in zip(items, given, strict=True):
            yield item._replace(custom_id=custom_id)


def _custom_ids(storage: Storage, name: str) -> Iterator[str]:
    file = pq.ParquetFile(storage.open(name))
    for batch in file.iter_batches(ROW_GROUP, columns=["custom_id"]):
        yield from batch.column(0).to_pylist()


def _table(schema: pa.Schema, rows: list[Item]) -> pa.Table:
    columns = [
        pa.array([getattr(row, field.name) for row in rows], type=field.type) for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)
