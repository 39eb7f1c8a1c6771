"""Work in a thread that nobody waits for any more: it ends before its next request or piece."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_abandoned: ContextVar[threading.Event | None] = ContextVar("_abandoned", default=None)


class Abandoned(Exception):
    """Whoever asked for this work was cancelled."""


@contextmanager
def abandonable(abandoned: threading.Event) -> Iterator[None]:
    """Have what is sent inside the block end once the event is set."""
    token = _abandoned.set(abandoned)
    try:
        yield
    finally:
        _abandoned.reset(token)


def check_wanted() -> None:
    """Raise Abandoned where nobody waits any more."""
    abandoned = _abandoned.get()
    if abandoned is not None and abandoned.is_set():
        raise Abandoned


def while_wanted(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Give blocks for as long as somebody waits; raises Abandoned."""
    for block in blocks:
        check_wanted()
        yield block
