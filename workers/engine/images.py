"""The images of a training, read from storage batch by batch."""

from collections.abc import Callable, Iterator

import numpy as np

from jobs.archives import ArchiveError, extract
from jobs.manifests import ROW_GROUP, Item, Manifest
from jobs.segments import ItemError
from models.datasets import Rows, label_of
from models.errors import DatasetError, InputError
from workers.engine.chunk import Content

# Encoded images that are in memory at a time, unless one alone is larger.
_BYTES_AT_ONCE = 32 * 1024 * 1024

ReadItems = Callable[[list[Item]], list[Content]]


class ManifestImages:
    """The images that a manifest lists, as `models.datasets.Images`.

    Kept are some 40 bytes an image; a name is read again when somebody asks for it.
    """

    def __init__(self, manifest: Manifest, read: ReadItems) -> None:
        self._manifest, self._read_items = manifest, read
        self._blobs: list[str] = []
        places, labels = [], []
        positions: dict[str, int] = {}
        blobs: dict[str, int] = {}
        for item in _all_items(manifest):
            blob = blobs.setdefault(item.blob, len(blobs))
            is_zip = item.encoding == "zip"
            places.append((blob, item.offset, item.length, item.size, is_zip))
            label = label_of(item.custom_id) or ""
            labels.append(positions.setdefault(label, len(positions)))
        self._blobs = list(blobs)
        self._places = np.asarray(places, np.int64).reshape(-1, 5)
        self.labels = tuple(sorted(positions))
        order = [self.labels.index(label) for label in positions]
        self.classes: Rows = np.asarray(order, np.int64)[labels]

    def read(self, rows: Rows) -> Iterator[bytes | InputError]:
        """Give the encoded images of these rows; raises DatasetError when they were deleted."""
        for start, stop in self._runs(rows):
            items = [self._item(row) for row in rows[start:stop].tolist()]
            for item, content in zip(items, self._read_items(items), strict=True):
                yield _unpacked(item, content)

    def name(self, row: int) -> str:
        """Give an image's path in the archive."""
        return self._manifest.items(row, 1)[0].custom_id

    def _runs(self, rows: Rows) -> Iterator[tuple[int, int]]:
        """Cut rows into runs of not too many bytes."""
        start = held = 0
        for stop, length in enumerate(self._places[rows, 2].tolist()):
            if stop > start and held + length > _BYTES_AT_ONCE:
                yield start, stop
                start, held = stop, 0
            held += length
        if start < len(rows):
            yield start, len(rows)

    def _item(self, row: int) -> Item:
        blob, offset, length, size, is_zip = self._places[row].tolist()
        encoding = "zip" if is_zip else "raw"
        return Item("", encoding, self._blobs[blob], offset, length, size)  # type: ignore[arg-type]  # one of two literals


def _all_items(manifest: Manifest) -> Iterator[Item]:
    for first in range(0, manifest.total, ROW_GROUP):
        yield from manifest.items(first, min(ROW_GROUP, manifest.total - first))


def _unpacked(item: Item, content: Content) -> bytes | InputError:
    if isinstance(content, ItemError):
        if content.code == "input_missing":
            raise DatasetError("The data set was deleted while it was being learned from.")
        return InputError(content.message)
    if item.encoding != "zip":
        return bytes(content)
    try:
        return extract(content, "zip", item.size, item.size)
    except ArchiveError as err:
        return InputError(str(err))
