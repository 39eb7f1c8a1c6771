"""A file that keeps what is written to it until it is sent."""

from io import RawIOBase
from typing import Any


class Pieces(RawIOBase):
    """Keeps what was written until it is taken."""

    def __init__(self) -> None:
        self._held: list[bytes] = []

    def writable(self) -> bool:
        """Say that it may be written to."""
        return True

    def write(self, data: Any, /) -> int:
        """Take the next bytes."""
        self._held.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        """Give what was written since the last time."""
        taken = b"".join(self._held)
        self._held.clear()
        return taken
