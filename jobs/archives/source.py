"""Bytes that come in parts, and are taken in others."""

from collections.abc import Iterable
from typing import NoReturn

from jobs.archives.members import ArchiveError


class Source:
    """A member's byte range, read forwards."""

    def __init__(self, parts: Iterable[bytes | memoryview]) -> None:
        self._parts = iter(parts)
        self._rest = memoryview(next(self._parts, b""))

    def next(self) -> memoryview:
        """Give what is there of the present part, else the next one; empty at the end."""
        while not self._rest and (part := next(self._parts, None)) is not None:
            self._rest = memoryview(part)
        found, self._rest = self._rest, memoryview(b"")
        return found

    def give_back(self, part: bytes | memoryview) -> None:
        """Take back what was given last and not used."""
        self._rest = memoryview(part)

    def take(self, count: int, fault: str) -> bytes:
        """Give exactly so many bytes; `fault` is the error when there are only {}."""
        if len(self._rest) >= count:  # as a rule
            found, self._rest = bytes(self._rest[:count]), self._rest[count:]
            return found
        taken = bytearray()
        while len(taken) < count and (part := self.next()):
            missing = count - len(taken)
            taken += part[:missing]
            self.give_back(part[missing:])
        if len(taken) < count:
            unreadable(fault.format(len(taken)))
        return bytes(taken)


def message(fault: str) -> str:
    """Give the sentences for a member that is broken."""
    return f"The member cannot be read: {fault}. Pack the archive again and upload it anew."


def unreadable(fault: str) -> NoReturn:
    """Refuse the member as broken."""
    raise ArchiveError("corrupt_archive", message(fault))
