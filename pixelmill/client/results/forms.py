"""The forms of results that the server writes as files, and how each shows that it is whole.

A connection of HTTP/1.0, as between a default nginx and a server, ends in the same way whether or
not all of an answer has come. A new form is one line of `FORMS`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Protocol

from pixelmill.wire.errors import InvalidInput

# Of a zip file.
_LONGEST_END = 22
# In place of an offset that takes 64 bits.
_FAR = 0xFFFFFFFF


class Ending(Protocol):
    """Looks at a file as it comes, to say at its end whether it is whole."""

    def take(self, block: bytes) -> None:
        """Look at the next bytes."""

    def missing(self, told: int | None) -> str | None:
        """Say what is missing of a file of so many rows, or of any; None where nothing is."""


class Lines:
    """A file with a row a line, less its headers; line ends inside quotes are none."""

    def __init__(self, headers: int, quote: bytes | None = None) -> None:
        self._rows = -headers
        self._quote = quote
        self._is_quoted = False

    def take(self, block: bytes) -> None:
        """Count the rows that end in these bytes."""
        if self._quote is None:
            self._rows += block.count(b"\n")
            return
        first, *others = block.split(self._quote)
        self._rows += 0 if self._is_quoted else first.count(b"\n")
        for part in others:
            self._is_quoted = not self._is_quoted
            self._rows += 0 if self._is_quoted else part.count(b"\n")

    def missing(self, told: int | None) -> str | None:
        """Say how many rows have come, where that is too few."""
        rows = max(0, self._rows)
        if told is None or rows >= told:
            return None
        return f"after {rows:,} of {told:,} rows"


class Tail:
    """A file whose last bytes say that it is whole; `is_end` is told these and the file's size."""

    def __init__(self, is_end: Callable[[bytes, int], bool]) -> None:
        self._is_end = is_end
        self._tail = b""
        self._size = 0

    def take(self, block: bytes) -> None:
        """Keep the last bytes."""
        self._tail = (self._tail + block)[-_LONGEST_END:]
        self._size += len(block)

    def missing(self, _told: int | None) -> str | None:
        """Say that the end is missing, where it is."""
        return None if self._is_end(self._tail, self._size) else "before its end"


@dataclass(frozen=True)
class Form:
    """A form by the suffixes of its files, and how to look for the end of one."""

    suffixes: tuple[str, ...]
    ending: Callable[[], Ending]


def _is_end_of_document(tail: bytes, _size: int) -> bool:
    # One line of JSON: its only line end is its last byte.
    return tail.endswith((b"}\n", b"]\n"))


def _is_end_of_parquet(tail: bytes, size: int) -> bool:
    # The file's sign, which begins it too, and before it the length of the footer.
    length = int.from_bytes(tail[-8:-4], "little")
    return tail.endswith(b"PAR1") and size >= length + 12


def _is_end_of_zip(tail: bytes, size: int) -> bool:
    # The end of the directory, without a comment: where that begins, and how long it is.
    length, offset = (int.from_bytes(tail[place : place + 4], "little") for place in (12, 16))
    is_there = offset == _FAR or length + offset + _LONGEST_END == size
    return len(tail) == _LONGEST_END and tail.startswith(b"PK\x05\x06") and is_there


def _document() -> Tail:
    return Tail(_is_end_of_document)


FORMS: Mapping[str, Form] = {
    "ndjson": Form((".ndjson", ".jsonl"), lambda: Lines(headers=0)),
    "csv": Form((".csv",), lambda: Lines(headers=1, quote=b'"')),
    "parquet": Form((".parquet",), lambda: Tail(_is_end_of_parquet)),
    "coco": Form((".coco.json",), _document),
    "yolo": Form((".zip",), lambda: Tail(_is_end_of_zip)),
    "label-studio": Form((".label-studio.json",), _document),
    "geojson": Form((".geojson",), _document),
}


def form_of_file(name: str) -> str | None:
    """Give the form that a file's name ends in; None for a name of no form."""
    name = name.lower()
    return next((form for form, each in FORMS.items() if name.endswith(each.suffixes)), None)


def checked_form(form: str | None, path: Path) -> str:
    """Give the form that was asked for, or that of the file's name; raises InvalidInput."""
    found = form_of_file(path.name) if form is None else form
    if found is None:
        suffixes = " ".join(suffix for each in FORMS.values() for suffix in each.suffixes)
        raise InvalidInput(
            f"{path} has a suffix that no form of results has; name a file in {suffixes}, or say "
            "which form it is to be."
        )
    if found not in FORMS:
        raise InvalidInput(unknown_form(found, FORMS))
    return found


def unknown_form(form: str, known: Mapping[str, object]) -> str:
    """Say that there is no such form, which was meant perhaps, and which there are."""
    near = get_close_matches(form.lower(), known, 1)
    meant = f"; did you mean {near[0]!r}?" if near else "."
    return f"there is no form {form!r} of results{meant} There are {', '.join(known)}."
