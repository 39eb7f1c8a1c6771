"""Results as data frames: by libraries of the caller's, imported when they are asked for."""

from importlib import import_module
from pathlib import Path
from typing import Any

from pixelmill.wire.errors import InvalidInput


def read_arrow(path: Path) -> Any:
    """Read a Parquet file as a `pyarrow.Table`; raises InvalidInput where pyarrow is missing."""
    parquet = _library("pyarrow.parquet", "to_arrow")
    return parquet.ParquetFile(path).read()


def read_pandas(path: Path) -> Any:
    """Read a Parquet file as a `pandas.DataFrame` with Arrow's types: lists and structs are typed.

    Raises InvalidInput where pandas or pyarrow is missing.
    """
    pandas = _library("pandas", "to_pandas")
    # pandas needs it to read Parquet with these types, and would say so in more words.
    _library("pyarrow", "to_pandas")
    return pandas.read_parquet(path, engine="pyarrow", dtype_backend="pyarrow")


def read_polars(path: Path) -> Any:
    """Read a Parquet file as a `polars.DataFrame`; raises InvalidInput where polars is missing."""
    # Not memory-mapped: the file is gone when the frame is used.
    return _library("polars", "to_polars").read_parquet(path.read_bytes())


def _library(name: str, method: str) -> Any:
    package = name.partition(".")[0]
    try:
        return import_module(name)
    except ImportError as err:
        if (err.name or package).partition(".")[0] != package:
            raise
        raise InvalidInput(
            f"{method} takes {package}, which is not installed here: pip install {package}."
        ) from err
