"""Segments keep every member of a row, and old ones stay readable."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.base.states import ItemStatus
from jobs.base.storage import Storage
from jobs.results.segments import SCHEMA, ItemError, ItemWarning, Row, read_segment, write_segment

ROWS = [
    Row(0, "a.mp4", ItemStatus.SUCCEEDED, "ab" * 32, 1, '[{"class":"7 left"}]'),
    Row(
        1,
        "b.mp4",
        ItemStatus.SUCCEEDED,
        "cd" * 32,
        2,
        "[]",
        warnings=(ItemWarning("video_damaged", "Half of it."), ItemWarning("other", "…")),
    ),
    Row(2, "c.mp4", ItemStatus.ERRORED, None, 1, None, ItemError("out_of_memory", "No.", True)),
    Row(3, "d.mp4", ItemStatus.CANCELLED, input_url="https://h.example/d.mp4"),
]


def test_a_row_comes_back_as_it_was_written(tmp_path: Path) -> None:
    storage = Storage(tmp_path.as_uri())
    write_segment(storage, "segment.parquet", ROWS)
    assert list(read_segment(storage, "segment.parquet")) == ROWS


def test_a_segment_from_before_there_were_warnings_has_none(tmp_path: Path) -> None:
    storage = Storage(tmp_path.as_uri())
    write_segment(storage, "new.parquet", ROWS)
    table = pq.read_table(tmp_path / "new.parquet").drop_columns(["warnings"])
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    storage.put("old.parquet", [sink.getvalue().to_pybytes()])
    assert len(table.schema) == len(SCHEMA) - 1
    read = list(read_segment(storage, "old.parquet"))
    assert [row.warnings for row in read] == [(), (), (), ()]
    assert read[0] == ROWS[0]
    assert read[2:] == ROWS[2:]
