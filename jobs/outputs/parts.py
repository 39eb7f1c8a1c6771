"""A job's results cut into parts: each a whole file of a data set, small enough for memory.

How they are cut follows from the rows alone, whose order is that of their commits, so that every
try makes the same parts.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, count
from typing import Literal, get_args

from jobs.forms import ndjson, parquet
from jobs.forms.export import Export
from jobs.forms.packing import ENCODERS
from jobs.results.segments import Row

Format = Literal["parquet", "ndjson"]
FORMATS: tuple[Format, ...] = get_args(Format)
Compression = Literal["gzip", "zstd"]

# Of one part. Rows of classifiers reach the first, those of segmenters the second.
_MOST_ROWS = 50_000
_MOST_CHARACTERS = 12 * 1024 * 1024
# What a row has besides its predictions, about.
_ROW_CHARACTERS = 250


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a data set."""

    name: str
    rows: int
    data: bytes

    @property
    def sha256(self) -> str:
        """The digest of its bytes."""
        return hashlib.sha256(self.data).hexdigest()


_WRITE: Mapping[str, Callable[[Export], Iterator[bytes]]] = {
    "parquet": parquet.write,
    "ndjson": ndjson.write,
}
_SUFFIX: Mapping[str | None, str] = {None: "", "gzip": ".gz", "zstd": ".zst"}


def parts_of(export: Export, form: Format, compression: Compression | None) -> Iterator[Part]:
    """Write an export's rows as one part after the other, none of them empty."""
    rows = export.rows()
    for number in count():
        first = next(rows, None)
        if first is None:
            return
        run = _Run(chain([first], rows))
        content = _WRITE[form](replace(export, rows=partial(iter, run)))
        if compression is not None:
            content = ENCODERS[compression](content)
        name = f"part-{number:05}.{form}{_SUFFIX[compression]}"
        data = b"".join(content)
        yield Part(name, run.count, data)


class _Run:
    """Rows until there are enough for a part."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows = rows
        self.count = 0

    def __iter__(self) -> Iterator[Row]:
        characters = 0
        for row in self._rows:
            self.count += 1
            characters += _ROW_CHARACTERS + len(row.predictions_json or "")
            yield row
            if self.count == _MOST_ROWS or characters >= _MOST_CHARACTERS:
                return
