"""The stack's lines on stdout, whose reader may be slow, gone, or a disk that is full.

The work goes on whoever reads: a line that cannot be written is left out, and how many were is
said as soon as lines can be written again.
"""

import contextlib
import io
import os
import select
import sys
import threading

# A pipe that can be written to takes so many bytes without waiting (pipe(7)).
_PIECE = select.PIPE_BUF
# How long a slow reader is waited for. Once it was in vain, nobody waits until it reads again.
_PATIENCE_MS = 1000


class LogLines:
    """Writes whole lines to stdout; safe to share between threads; never fails, never hangs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left_out = 0

    def say(self, name: str, line: str) -> None:
        """Print one line with the name of who says it, in one piece: every role's thread does."""
        with self._lock:
            missed = self._left_out
            if missed and not self._write(f"{'stack':>10} | {missed} lines were left out\n"):
                self._left_out += 1
                return
            self._left_out = 0 if self._write(f"{name:>10} | {line}\n") else 1

    def _write(self, text: str) -> bool:
        try:
            stream = sys.stdout.fileno()
        except (io.UnsupportedOperation, AttributeError, ValueError):
            # Not a file: a test's, or none at all.
            with contextlib.suppress(AttributeError, ValueError):
                sys.stdout.write(text)
            return True
        data = text.encode(sys.stdout.encoding, "backslashreplace")
        for start in range(0, len(data), _PIECE):
            try:
                if not self._can_write(stream):
                    return False
                os.write(stream, data[start : start + _PIECE])
            except OSError:
                return False
        return True

    def _can_write(self, stream: int) -> bool:
        poll = select.poll()
        poll.register(stream, select.POLLOUT)
        return bool(poll.poll(0 if self._left_out else _PATIENCE_MS))


say = LogLines().say
