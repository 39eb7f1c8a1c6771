"""Small Parquet files are written fast, large ones small."""

import io

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.base.parquet import codec_for


def table(rows: int) -> pa.Table:
    return pa.table({"predictions": [f"[{number}]" for number in range(rows)]})


def test_one_row_is_packed_with_snappy_and_many_with_zstd() -> None:
    assert codec_for(table(1)) == "snappy"
    assert codec_for(table(10_000)) == "zstd"


def test_a_single_row_is_packed_well_if_it_is_long() -> None:
    row = pa.table({"predictions": ["0," * 50_000]})
    file = io.BytesIO()
    pq.write_table(row, file, compression=codec_for(row))
    assert file.tell() < 5_000
