"""What FFmpeg's reader of a container says in its log and nowhere else.

The reader of Matroska passes over a damaged stretch without an error: only its log says so.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import av

# By container, how the log names the reader that says it nowhere else.
_READERS = {"Matroska": "matroska"}


@contextmanager
def heard(kind: str) -> Iterator[list[str]]:
    """Listen while the block runs, in its thread; what was said stands in the list afterwards."""
    found: list[str] = []
    if (reader := _READERS.get(kind)) is None:
        yield found
        return
    before = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as lines:
            yield found
        found += [text for _, name, text in lines if name.startswith(reader)]
    finally:
        av.logging.set_level(before)
