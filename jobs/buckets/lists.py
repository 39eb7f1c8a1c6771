"""From a list of paths that lies in a bucket to the items of a job.

    .jsonl, .ndjson   {"path": "photos/a.jpg", "custom_id": "a"}, or a text alone, a line each
    .csv              a first line that names the columns, `path` among them
    .parquet          the same columns; read behind walls, by whoever has them

A path is a key of the list's own bucket, or an address in full; either has to be allowed. Each
object is asked for its size and ETag, some at a time, so that its item pins it: one that is not
there is an errored item, and no reason to refuse the others.
"""

import csv
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, BinaryIO, NamedTuple, cast

from jobs.archives import ArchiveError
from jobs.base.errors import InvalidInput
from jobs.base.json_text import read_json
from jobs.base.storage import CHUNK
from jobs.buckets.errors import BucketError
from jobs.buckets.listing import item_of
from jobs.buckets.locations import LONGEST_ADDRESS, Location, LocationError, read_location
from jobs.buckets.remote import Beat, Found
from jobs.buckets.sources import Bucket, Buckets, NoTables, Owner, Tables
from jobs.inputs.budgets import LONGEST_FAULT, fit_name, visible
from jobs.inputs.manifest_files import Faults, numbered_lines
from jobs.inputs.manifests import Item
from jobs.inputs.requests import RequestError, custom_id_of

SUFFIXES = (".jsonl", ".ndjson", ".csv", ".parquet")

_LONGEST_LINE = 64 * 1024
_VALUES_A_LINE = 1000
# Objects that are asked for at a time, and lines that are held meanwhile.
_ASKED, _HELD = 16, 512
# What is an item's own fault, and not the list's or the store's.
_OF_ITEMS = ("input_gone", "bucket_denied")


class _Row(NamedTuple):
    """One line: its number, the path as it is written, and the name that its caller gave it."""

    number: int
    path: str
    custom_id: str | None


def names_its_items(buckets: Buckets, owner: Owner, source: dict[str, Any]) -> bool:
    """Say whether the list gives names of its own, by its first line; raises BucketError."""
    faults = Faults(1, "Line")
    location, stream = _opened(buckets, owner, source)
    first = next(_rows(buckets, location, stream, faults, lambda: None), None)
    return first is not None and first.custom_id is not None


def items_of_list(
    buckets: Buckets, owner: Owner, source: dict[str, Any], most_faults: int, beat: Beat
) -> Iterator[Item]:
    """Give the items of a list in its order; raises BucketError, and InvalidInput for its lines."""
    faults = Faults(most_faults, "Line")
    location, stream = _opened(buckets, owner, source)
    rows = _rows(buckets, location, stream, faults, beat)
    with ThreadPoolExecutor(_ASKED, "list") as threads:
        while held := list(islice(rows, _HELD)):
            found = threads.map(lambda row: _item(buckets, owner, location, row), held)
            for row, item in zip(held, found, strict=True):
                beat()
                if isinstance(item, Item):
                    yield item
                else:
                    faults.note(row.number, *item, "path")
    faults.raise_if_any()


def _opened(buckets: Buckets, owner: Owner, source: dict[str, Any]) -> tuple[Location, BinaryIO]:
    location = read_location(source["manifest"])
    bucket = buckets.bucket(owner, location)
    return location, open_object(bucket, location, bucket.head(location))


def _item(buckets: Buckets, owner: Owner, near: Location, row: _Row) -> Item | tuple[str, str]:
    """Pin one object; gives code and sentence where its line is at fault."""
    custom_id = row.custom_id if row.custom_id is not None else fit_name(row.path)
    try:
        location = read_location(row.path) if "://" in row.path else near.below(row.path)
        found = buckets.bucket(owner, location).head(location)
    except LocationError as err:
        return "invalid_request", str(err)
    except BucketError as err:
        if err.code in _OF_ITEMS:
            told = str(err)[:LONGEST_FAULT]
            return Item(custom_id, "refused", error_code=err.code, error_message=told)
        if err.retryable:
            raise
        return err.code, str(err)
    return item_of(str(owner), location, found, custom_id)


def _rows(
    buckets: Buckets, location: Location, stream: BinaryIO, faults: Faults, beat: Beat
) -> Iterator[_Row]:
    suffix = location.parts[-1].rpartition(".")[2].lower()
    if suffix == "parquet":
        values = _of_parquet(buckets.tables, stream, beat)
    else:
        read = _of_csv if suffix == "csv" else _of_jsonl
        values = read(numbered_lines(stream, _LONGEST_LINE), faults)
    for number, value in values:
        if isinstance(value, str):
            value = {"path": value}
        path = value.get("path") if isinstance(value, dict) else None
        if not isinstance(path, str) or not 1 <= len(path) <= LONGEST_ADDRESS:
            faults.note(number, "invalid_request", "`path` must be a key or an address.", "path")
            continue
        assert isinstance(value, dict)
        try:
            custom_id = custom_id_of(value, 0) if value.get("custom_id") is not None else None
        except RequestError as err:
            faults.note(number, "invalid_request", str(err), err.param)
            continue
        yield _Row(number, path, custom_id)


def _of_jsonl(lines: Iterator[tuple[int, bytes]], faults: Faults) -> Iterator[tuple[int, object]]:
    for number, line in lines:
        try:
            yield number, read_json(line, _VALUES_A_LINE)
        except (ValueError, RecursionError) as err:
            faults.note(number, "invalid_json_line", f"This is not valid JSON: {err}.", None)


def _of_csv(lines: Iterator[tuple[int, bytes]], faults: Faults) -> Iterator[tuple[int, object]]:
    last = 0

    def texts() -> Iterator[str]:
        nonlocal last
        for number, line in lines:
            last = number
            yield line.decode()

    rows = csv.reader(texts(), strict=True)
    try:
        names = [name.strip().lower() for name in next(rows, [])]
        if "path" not in names:
            raise InvalidInput(
                "The first line of the list names its columns, and none is `path`.",
                code="not_a_manifest",
                param="manifest",
            )
        for row in rows:
            said = dict(zip(names, row, strict=False))
            yield last, {name: said[name] for name in ("path", "custom_id") if said.get(name)}
    except (csv.Error, UnicodeDecodeError) as err:
        faults.note(last, "invalid_csv_line", f"This is not valid CSV in UTF-8: {err}.", None)
        faults.raise_if_any()


def _of_parquet(
    tables: Tables | None, stream: BinaryIO, beat: Beat
) -> Iterator[tuple[int, object]]:
    if tables is None:
        raise NoTables("Parquet files are read by io workers alone.")
    try:
        for number, (path, custom_id) in enumerate(tables.rows(stream, beat), start=1):
            yield number, {"path": path, "custom_id": custom_id}
    except ArchiveError as err:
        told = visible(str(err))[:LONGEST_FAULT]
        raise InvalidInput(told, code="not_a_manifest", param="manifest") from err


def open_object(bucket: Bucket, location: Location, known: Found) -> BinaryIO:
    """Open an object as a seekable file that is read in large runs, and is one state throughout."""
    # A RawIOBase has all of BinaryIO's methods but is not its subclass.
    return cast("BinaryIO", _ObjectFile(bucket, location, known))


class _ObjectFile(io.RawIOBase):
    def __init__(self, bucket: Bucket, location: Location, known: Found) -> None:
        self._bucket, self._location, self._known = bucket, location, known
        self._place = 0
        self._start, self._held = 0, b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = 0, /) -> int:
        base = (0, self._place, self._known.size)[whence]
        self._place = max(0, base + offset)
        return self._place

    def readinto(self, buffer: Any, /) -> int:
        if self._place >= self._known.size:
            return 0
        behind = self._place - self._start
        if not 0 <= behind < len(self._held):
            length = min(CHUNK, self._known.size - self._place)
            self._held = self._bucket.read(self._location, self._known, self._place, length)
            self._start, behind = self._place, 0
        run = self._held[behind : behind + len(buffer)]
        buffer[: len(run)] = run
        self._place += len(run)
        return len(run)
