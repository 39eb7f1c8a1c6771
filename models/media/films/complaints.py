"""What FFmpeg's readers and decoders say in their log and nowhere else.

The readers of Matroska and FLV pass over a damaged stretch without an error, and decoders whose
frames stand for themselves patch theirs up: only the log says so. Decoders of frames that are made
of others are not listened to: they complain of sound films that were cut, too.
"""

from typing import NamedTuple

import av

# By container, how the log names the reader that says it nowhere else.
_READERS = {"Matroska": "matroska", "FLV": "flv"}
_DECODERS = frozenset({"mjpeg", "ffv1", "dvvideo"})


class Complaints(NamedTuple):
    """How often each has complained since it was last asked."""

    reader: int
    decoder: int


class Log:
    """Listens to what is said in this thread until it is closed; opening a film says much."""

    def __init__(self, kind: str) -> None:
        self._reader = _READERS.get(kind)
        self._level = av.logging.get_level()
        av.logging.set_level(av.logging.ERROR)
        self._capture = av.logging.Capture()
        self._lines = self._capture.__enter__()

    def take(self, codec: str) -> Complaints:
        """Count the complaints so far, and forget them: a broken film has many."""
        names = [name for _, name, _ in self._lines]
        self._lines.clear()
        return Complaints(
            sum(self._reader is not None and name.startswith(self._reader) for name in names),
            sum(codec in _DECODERS and name == codec for name in names),
        )

    def close(self) -> None:
        """Listen no more."""
        self._capture.__exit__(None, None, None)
        av.logging.set_level(self._level)
