"""The directories of a TIFF or BigTIFF: which pages there are, and what each says of itself.

Numbers are read where they are asked for, and never more than that: a tag that claims a billion
values costs nothing.

Source: TIFF 6.0, section 2; BigTIFF (Adobe's and AWare Systems' description).
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_MAGICS = {b"II*\0": ("<", False), b"MM\0*": (">", False), b"II+\0": ("<", True)}
_MAGICS[b"MM\0+"] = (">", True)
# Forms of whole numbers: how struct calls them, and their bytes.
_FORMS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_BYTES, _UNDEFINED = 1, 7
_SUB_DIRECTORIES = 330

# Pages are looked at only until a full-size one is found.
_MAX_DIRECTORIES = 64
_MAX_ENTRIES = 4096


@dataclass(frozen=True, slots=True)
class _Entry:
    """One tag: its form, the count of its values, and the offset of the first."""

    form: int
    count: int
    start: int


@dataclass(frozen=True, slots=True)
class Directory:
    """What one page says of itself, by tags."""

    data: bytes
    order: str
    entries: Mapping[int, _Entry]

    def __contains__(self, tag: int) -> bool:
        return tag in self.entries

    def first(self, tag: int, otherwise: int = 0) -> int:
        """Give a tag's first number, or another where the tag is not there; raises struct.error."""
        numbers = self.numbers(tag, 1)
        return numbers[0] if numbers else otherwise

    def numbers(self, tag: int, most: int) -> tuple[int, ...]:
        """Give a tag's whole numbers, at most so many; none where the tag is not there."""
        entry = self.entries.get(tag)
        form = _FORMS.get(entry.form) if entry is not None else None
        if entry is None or form is None:
            return ()
        count = min(entry.count, most)
        return struct.unpack_from(f"{self.order}{count}{form}", self.data, entry.start)

    def content(self, tag: int) -> bytes:
        """Give a tag's bytes; none where the tag is not there or holds something else."""
        entry = self.entries.get(tag)
        if entry is None or entry.form not in (_BYTES, _UNDEFINED):
            return b""
        return self.data[entry.start : entry.start + entry.count]


def is_tiff(data: bytes) -> bool:
    """Tell a TIFF or BigTIFF by its first four bytes."""
    return data[:4] in _MAGICS


def directories(data: bytes) -> Iterator[Directory]:
    """Yield the pages in their order; raises struct.error where the bytes end too soon."""
    order, is_big = _MAGICS[data[:4]]
    position = _pointer(data, 8 if is_big else 4, order, is_big)
    seen: set[int] = set()
    while position and position not in seen and len(seen) < _MAX_DIRECTORIES:
        if seen and position >= len(data):
            return
        seen.add(position)
        directory, following = _read(data, position, order, is_big)
        yield directory
        position = _pointer(data, following, order, is_big) if following < len(data) else 0


def sub_directories(directory: Directory) -> Iterator[Directory]:
    """Yield the pages that hang under another one."""
    order, is_big = _MAGICS[directory.data[:4]]
    for position in directory.numbers(_SUB_DIRECTORIES, _MAX_DIRECTORIES):
        if position < len(directory.data):
            yield _read(directory.data, position, order, is_big)[0]


def _pointer(data: bytes, position: int, order: str, is_big: bool) -> int:
    """Read where something stands; what is said to lie beyond the end lies at it."""
    (place,) = struct.unpack_from(order + ("Q" if is_big else "I"), data, position)
    return min(int(place), len(data))


def _read(data: bytes, position: int, order: str, is_big: bool) -> tuple[Directory, int]:
    """Read one directory; give the place of the pointer to the next one too."""
    count_form, entry_form, inline = ("Q", "HHQ", 8) if is_big else ("H", "HHI", 4)
    (count,) = struct.unpack_from(order + count_form, data, position)
    position += struct.calcsize(order + count_form)
    entry_bytes = struct.calcsize("=" + entry_form) + inline
    entries: dict[int, _Entry] = {}
    for number in range(min(count, _MAX_ENTRIES)):
        at = position + entry_bytes * number
        tag, form, values = struct.unpack_from(order + entry_form, data, at)
        value_at = at + entry_bytes - inline
        size = values * struct.calcsize("=" + _FORMS.get(form, "B"))
        start = value_at if size <= inline else _pointer(data, value_at, order, is_big)
        entries.setdefault(tag, _Entry(form, values, start))
    return Directory(data, order, entries), position + entry_bytes * count
