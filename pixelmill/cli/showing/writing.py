"""Files that commands write.

What `-o` asks for appears whole or not at all, and replaces nothing but files. Pictures of a job's
items are saved in one folder, under names of their own.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

from pixelmill.client.records import Result
from pixelmill.client.results.writing import new_file

# Separators of folders, what Windows forbids, and what cannot be seen.
_UNSAFE = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f]')
# Of the 255 bytes that a file's name may have, less its index and suffix.
_LONGEST_BYTES = 200


@contextmanager
def new_text_file(output: Path) -> Iterator[TextIO]:
    """Give a text file in UTF-8 that appears under its name only when all of it is written.

    Raises InvalidInput when it cannot be written; `new_file` says what becomes of devices.
    """
    with new_file(output) as file:
        # No newline translation: CSV cells may hold line ends of their own.
        text = TextIOWrapper(file, encoding="utf-8", newline="")
        try:
            yield text
            text.flush()
        finally:
            # The file's own end is new_file's affair.
            with suppress(OSError):
                text.detach()


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
