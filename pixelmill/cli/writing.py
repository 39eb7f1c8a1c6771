"""Files that commands write.

What `-o` asks for appears whole or not at all, and replaces nothing but files. Pictures of a job's
items are saved in one folder, under names of their own.
"""

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from pixelmill.client.records import Result
from pixelmill.wire.errors import InvalidInput

# Separators of folders, what Windows forbids, and what cannot be seen.
_UNSAFE = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f]')
# Of the 255 bytes that a file's name may have, less its index and suffix.
_LONGEST_BYTES = 200


@contextmanager
def new_text_file(output: Path) -> Iterator[TextIO]:
    """Give a text file that appears under its name only when all of it is written.

    A device, FIFO or socket of that name is written to as it is, and stays; so does a link, whose
    file is replaced. Raises InvalidInput when it cannot be written.
    """
    if not output.name:
        raise InvalidInput(f"{str(output)!r} names no file to write; give a file's name to -o.")
    try:
        # No newline translation: CSV cells may hold line ends of their own.
        if output.exists() and not output.is_file():
            with output.open("w", encoding="utf-8", newline="") as file:
                yield file
        else:
            with _replacing(output.resolve()) as file:
                yield file
    except BrokenPipeError:
        # Whoever reads a FIFO has what it wanted, as with stdout.
        raise
    except OSError as err:
        raise InvalidInput(f"{output} cannot be written: {err.strerror or err}.") from err


@contextmanager
def _replacing(output: Path) -> Iterator[TextIO]:
    part = output.with_name(f".pixelmill-{secrets.token_hex(8)}.part")
    try:
        with part.open("x", encoding="utf-8", newline="") as file:
            yield file
        os.replace(part, output)
    finally:
        part.unlink(missing_ok=True)


class PictureNames:
    """Names of files, each given once."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def of(self, result: Result) -> str:
        """Give the name of an item's picture: `a/b.png` is `a_b.png.jpg`."""
        stem = _UNSAFE.sub("_", result.custom_id or str(result.index)).lstrip(".")
        stem = stem.encode()[:_LONGEST_BYTES].decode(errors="ignore") or str(result.index)
        # Some file systems know no case.
        while f"{stem}.jpg".lower() in self._given:
            stem = f"{stem}-{result.index}"
        name = f"{stem}.jpg"
        self._given.add(name.lower())
        return name
