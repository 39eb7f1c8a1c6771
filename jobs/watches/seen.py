"""What a watch has seen: a Parquet blob, an object a row, in the order of addresses.

Each is written once, under a name of its own, and named by the row of the watch in the transaction
that stores the jobs of what was new. The one before is deleted afterwards. Of a blob that no row
names (whoever wrote it died) nobody knows, and it is deleted in time (jobs.aftercare.tidying).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.base.storage import Storage
from jobs.watches.arrivals import Known

_ROWS = 10_000
_SCHEMA = pa.schema(
    [
        ("address", pa.string()),
        ("mark", pa.int64()),
        ("is_taken", pa.bool_()),
        ("gone_on", pa.int32()),
    ],
    metadata={"pixelmill_seen": "1"},
)


def read_seen(storage: Storage, name: str | None) -> Iterator[Known]:
    """Give what was seen, in order; nothing where nothing was yet. Raises BlobMissing."""
    if name is None:
        return
    file = pq.ParquetFile(storage.open(name))
    for batch in file.iter_batches(_ROWS, use_threads=False):
        columns = [column.to_pylist() for column in batch.columns]
        yield from (Known(*row) for row in zip(*columns, strict=True))


@contextmanager
def writing_seen(storage: Storage, name: str) -> Iterator[Callable[[Known], None]]:
    """Write what was seen, which has to come in order; the blob is there with the block's end."""
    rows: list[Known] = []
    with storage.create(name) as sink, pq.ParquetWriter(sink, _SCHEMA, compression="zstd") as file:

        def flush() -> None:
            columns = zip(*rows, strict=True) if rows else [()] * len(_SCHEMA)
            arrays = [
                pa.array(column, field.type) for column, field in zip(columns, _SCHEMA, strict=True)
            ]
            file.write_table(pa.Table.from_arrays(arrays, schema=_SCHEMA))
            rows.clear()

        def write(known: Known) -> None:
            rows.append(known)
            if len(rows) == _ROWS:
                flush()

        yield write
        flush()
