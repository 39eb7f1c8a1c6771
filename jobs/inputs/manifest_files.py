"""Which uploaded files are manifests: JSON Lines in UTF-8, an item a line.

A picture, a film and an archive are known by their bytes. What was meant to be a manifest and is
none is told so, instead of being run as one picture that cannot be read.
"""

import io
from collections.abc import Iterator
from typing import BinaryIO

from jobs.base.errors import InvalidInput, LineError

# Enough to know a manifest by.
HEAD = 64 * 1024

_CHUNK = 1024 * 1024
_BOM = b"\xef\xbb\xbf"
_SUFFIXES = (".jsonl", ".ndjson")
# What text in UTF-16 and UTF-32 begins with: a mark, or an ASCII letter beside a zero.
_WIDE = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff", b"{\0", b"\0{", b"[\0", b"\0[")
# What a text begins with that is no manifest, and what it then seems to be.
_OTHERS = (
    (b"[", "a JSON array"),
    (b"#", "text that begins with a comment"),
    (b"//", "text that begins with a comment"),
    (b"http://", "a list of URLs"),
    (b"https://", "a list of URLs"),
)
_WHAT_IT_IS = (
    'A manifest is JSON Lines in UTF-8: one object a line, such as {"custom_id": "a", "input": '
    '{"url": "https://…"}}, with no brackets, commas or comments around them.'
)


def is_meant_as_manifest(head: bytes, filename: str) -> bool:
    """Say whether a file that is no archive is a manifest, or was meant to be one.

    `head` are its first bytes, `HEAD` of them if it has so many.
    """
    return filename.lower().endswith(_SUFFIXES) or _is_manifest(head) or _seems(head) is not None


def check_manifest(head: bytes, filename: str) -> None:
    """Raise InvalidInput, saying what it is, for what was meant as a manifest and is none."""
    seems = _seems(head)
    if seems is not None:
        raise InvalidInput(f"{filename!r} looks like {seems}. {_WHAT_IT_IS}", code="not_a_manifest")


def numbered_lines(stream: BinaryIO, longest: int) -> Iterator[tuple[int, bytes]]:
    """Give the lines that are not blank with their numbers, from 1, in bounded memory.

    Raises InvalidInput for one of more than `longest` bytes.
    """
    reader = io.BufferedReader(stream, _CHUNK)  # type: ignore[type-var]  # a RawIOBase
    for number, line in enumerate(iter(lambda: reader.readline(longest + 1), b""), start=1):
        if len(line) > longest:
            raise InvalidInput(
                f"Line {number} is longer than {longest:,} bytes.", code="line_too_long"
            )
        line = line.removeprefix(_BOM) if number == 1 else line
        if line.strip():
            yield number, line


def _is_manifest(head: bytes) -> bool:
    text = head.removeprefix(_BOM).lstrip()
    # Nothing but blank lines is a manifest too, of no items yet.
    return text[:1] == b"{" or (not text and bool(head))


def _seems(head: bytes) -> str | None:
    """Say what a text seems to be that is no manifest; None for a manifest, and for no text."""
    if head.startswith(_WIDE):
        return "text in UTF-16 or UTF-32"
    text = head.removeprefix(_BOM).lstrip()
    for start, what in _OTHERS:
        if text.startswith(start):
            return what
    return None


class Faults:
    """Gathers the faults of single lines, up to a limit."""

    def __init__(self, limit: int, word: str) -> None:
        self._limit, self._word = limit, word
        self._faults: list[LineError] = []

    def note(self, number: int, code: str, text: str, param: str | None) -> None:
        """Take note of a line's fault; raises InvalidInput once there are as many as are told."""
        message = f"{self._word} {number}: {text}"
        self._faults.append({"code": code, "message": message, "param": param, "line": number})
        if len(self._faults) >= self._limit:
            self.raise_if_any()

    def raise_if_any(self) -> None:
        """Raise InvalidInput with every fault, if there is one."""
        if self._faults:
            first = self._faults[0]
            raise InvalidInput(
                first["message"], code=first["code"], param=first["param"], lines=self._faults
            )
