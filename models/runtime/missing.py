"""Libraries that are extras: what to install where one is missing."""

from collections.abc import Iterator
from contextlib import contextmanager

from models.records.errors import RecordError


@contextmanager
def named_library(extra: str) -> Iterator[None]:
    """Turn a missing import into what to install; raises RecordError."""
    try:
        yield
    except ModuleNotFoundError as err:
        raise RecordError(
            f"The workers here lack the library {err.name!r}, which runs this model. An operator "
            f"installs it with: pip install 'pixelmill[{extra}]'"
        ) from err
