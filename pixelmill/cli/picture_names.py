"""The names under which pictures of a job's items are saved in one folder."""

import re

from pixelmill.client.records import Result

# Separators of folders, what Windows forbids, and what cannot be seen.
_UNSAFE = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f]')
# Of the 255 bytes that a file's name may have, less its index and suffix.
_LONGEST_BYTES = 200


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
