"""JSON from strangers: what it will take of memory is told from its bytes, before it is parsed.

A byte of JSON can become a hundred of memory: `{}` is a dict of 64 bytes in a list, and one emoji
makes four bytes of every letter of its string. So values are counted and long strings looked at
first (a pass of a regular expression, which takes less time than parsing).
"""

import codecs
import json
import re
from typing import Any, NoReturn

# Possessive, so that a string of gigabytes leaves nothing to come back to.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
# Base64 may be so long, other text not: in bytes.
_LONGEST_TEXT = 4 * 1024 * 1024
# Shorter texts stay as they are, so that faults are told with their column.
_SHORT = 1024 * 1024
# Characters of four bytes in UTF-8, the bytes that they begin with, and those that go on.
_EMOJI = re.compile(rb"(?:[\xf0-\xf4][\x80-\xbf]{3})+")
_LEADS = range(0xF0, 0xF5)
_CONTINUATIONS = bytes(range(0x80, 0xC0))


class JsonTooLargeError(ValueError):
    """It would take too much memory; the message says of what it has too much."""


class RepeatedKeyError(ValueError):
    """An object has a key twice, and nobody can say which is meant."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the key {key[:100]!r} stands twice in one object")
        self.key = key


def read_json(text: bytes, most_values: int) -> Any:
    """Parse UTF-8 of at most so many values.

    Raises JsonTooLargeError and RepeatedKeyError, and what `json.loads` does: ValueError, or
    RecursionError where it is nested too deeply.
    """
    # A line of a manifest is none of these.
    if len(text) > most_values:
        _check_values(text, most_values)
    if len(text) > _LONGEST_TEXT:
        _check_strings(text)
    if len(text) > _SHORT:
        text = _escaped(text)
    # Quicker than the codec that passes over the mark.
    decoded = text.removeprefix(codecs.BOM_UTF8).decode()
    del text
    return _DECODER.decode(decoded)


def _check_values(text: bytes, most: int) -> None:
    # Each value but the first follows one of these.
    plain = _STRING.sub(b"", text)
    count = sum(plain.count(mark) for mark in (b"{", b"[", b","))
    if count > most:
        raise JsonTooLargeError(f"it has some {count:,} values; at most {most:,} may be")


def _check_strings(text: bytes) -> None:
    for found in _STRING.finditer(text):
        length = found.end() - found.start()
        if length > _LONGEST_TEXT:
            string = text[found.start() : found.end()]
            if b"\\u" in string or not string.isascii():
                raise JsonTooLargeError(
                    f"a string of {length:,} bytes has characters outside ASCII, which base64 has "
                    f"not; other text may have {_LONGEST_TEXT:,}"
                )


def _escaped(text: bytes) -> bytes:
    """Escape what would make four bytes of each letter of its string; one emoji does."""
    if emoji := sum(text.count(bytes([lead])) for lead in _LEADS):
        letters = len(text.translate(None, delete=_CONTINUATIONS))
        # Unless there are so many that their escapes would take more.
        if 2 * (letters + 11 * emoji) < 4 * letters:
            text = _EMOJI.sub(lambda run: json.dumps(run[0].decode())[1:-1].encode(), text)
    return text


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise RepeatedKeyError(key)
            seen.add(key)
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


# Made once: making one takes longer than reading a line of a manifest.
_DECODER = json.JSONDecoder(object_pairs_hook=_distinct, parse_constant=_refuse_constant)
