"""Data frames (pandas, Polars, pyarrow) of which one column names the pictures, a row each."""

import os
from typing import Any

from pixelmill.wire.errors import InvalidInput

# By these names a column of paths or URLs is found where none is said.
PATH_COLUMNS = ("path", "file", "filename", "file_name", "image", "url")
_LIBRARIES = ("pandas", "polars", "pyarrow")


def is_frame(thing: object) -> bool:
    """Whether this is a data frame of one of the libraries that people have."""
    library = type(thing).__module__.partition(".")[0]
    return library in _LIBRARIES and hasattr(thing, "columns")


def paths_of(frame: Any, column: str | None) -> list[str]:
    """Give a frame's paths or URLs, in the order of its rows.

    Raises InvalidInput for a column that is not there, and for a row without a path.
    """
    columns = [str(name) for name in getattr(frame, "column_names", frame.columns)]
    name = _chosen(columns, column)
    values = frame[name]
    found: list[Any] = values.to_pylist() if hasattr(values, "to_pylist") else list(values)
    for row, value in enumerate(found):
        if not isinstance(value, str | os.PathLike) or not os.fspath(value):
            raise InvalidInput(
                f"row {row} of the column {name!r} is {value!r} and no path; leave such rows out."
            )
    return [os.fspath(value) for value in found]


def _chosen(columns: list[str], column: str | None) -> str:
    if column is None:
        column = next((name for name in PATH_COLUMNS if name in columns), None)
    if column in columns:
        return str(column)
    there = f"there are {', '.join(columns[:20]) or 'none'}"
    if column is not None:
        raise InvalidInput(f"no column is named {column!r}; {there}.")
    raise InvalidInput(
        f"no column is named {' or '.join(PATH_COLUMNS)}; say with path_column=… which one holds "
        f"the paths: {there}."
    )
