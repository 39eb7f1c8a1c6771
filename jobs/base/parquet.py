"""How our Parquet files are compressed."""

import pyarrow as pa

# One image's manifest and segment are below it.
_SMALL_BYTES = 16 * 1024


def codec_for(table: pa.Table) -> str:
    """Name the codec that suits a table.

    zstd makes large ones smaller than snappy does. For a small one it takes longer than all else of
    writing it, and somebody may wait for that.
    """
    return "snappy" if table.nbytes < _SMALL_BYTES else "zstd"
