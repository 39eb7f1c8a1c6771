"""The images of a training, read from storage batch by batch."""

from array import array
from collections.abc import Callable, Iterator
from typing import get_args

import numpy as np

from jobs.archives import ArchiveError, extract
from jobs.inputs.manifests import ROW_GROUP, Encoding, Item, Manifest
from jobs.results.segments import ItemError
from models.records.errors import DatasetError, InputError
from models.training.datasets import Rows, label_of
from workers.engine.reading.chunk import Content

# Encoded images that are in memory at a time, unless one alone is larger.
_BYTES_AT_ONCE = 32 * 1024 * 1024

_ENCODINGS: tuple[Encoding, ...] = get_args(Encoding)

ReadItems = Callable[[list[Item]], list[Content]]


class Listing:
    """What a manifest lists, as numbers: some 50 bytes an image.

    `places` holds each image's blob, offset, length, size and encoding (`_ENCODINGS`):
    int64 (N, 5); `classes` its position among `labels`: int64 (N,).
    """

    def __init__(self, manifest: Manifest) -> None:
        """Read the manifest once, from its beginning to its end."""
        self._manifest = manifest
        blobs: dict[str, int] = {}
        labels: dict[str, int] = {}
        places, found = array("q"), array("q")
        for item in _all_items(manifest):
            blob = blobs.setdefault(item.blob, len(blobs))
            places.extend(
                (blob, item.offset, item.length, item.size, _ENCODINGS.index(item.encoding))
            )
            label = label_of(item.custom_id) or ""
            found.append(labels.setdefault(label, len(labels)))
        self.blobs = list(blobs)
        self.labels = tuple(sorted(labels))
        self.places = np.asarray(places, np.int64).reshape(-1, 5)
        sorted_place = {label: place for place, label in enumerate(self.labels)}
        order = np.asarray([sorted_place[label] for label in labels], np.int64)
        self.classes: Rows = order[np.asarray(found, np.int64)]

    def name(self, row: int) -> str:
        """Give an image's path in the archive, from the manifest."""
        return self._manifest.items(row, 1)[0].custom_id

    def item(self, row: int) -> Item:
        """Give an image's item, without its name."""
        blob, offset, length, size, encoding = self.places[row].tolist()
        return Item("", _ENCODINGS[encoding], self.blobs[blob], offset, length, size)


class ManifestImages:
    """The images of a listing, as `models.training.datasets.Images`."""

    def __init__(self, listing: Listing, read: ReadItems) -> None:
        self._listing, self._read_items = listing, read

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes, sorted."""
        return self._listing.labels

    @property
    def classes(self) -> Rows:
        """Each image's class."""
        return self._listing.classes

    def read(self, rows: Rows) -> Iterator[bytes | InputError]:
        """Give the encoded images of these rows; raises DatasetError when they were deleted."""
        for start, stop in self._runs(rows):
            items = [self._listing.item(row) for row in rows[start:stop].tolist()]
            for item, content in zip(items, self._read_items(items), strict=True):
                yield _unpacked(item, content)

    def name(self, row: int) -> str:
        """Give an image's path in the archive."""
        return self._listing.name(row)

    def _runs(self, rows: Rows) -> Iterator[tuple[int, int]]:
        """Cut rows into runs of not too many bytes."""
        start = held = 0
        for stop, length in enumerate(self._listing.places[rows, 2].tolist()):
            if stop > start and held + length > _BYTES_AT_ONCE:
                yield start, stop
                start, held = stop, 0
            held += length
        if start < len(rows):
            yield start, len(rows)


def _all_items(manifest: Manifest) -> Iterator[Item]:
    for first in range(0, manifest.total, ROW_GROUP):
        yield from manifest.items(first, min(ROW_GROUP, manifest.total - first))


def _unpacked(item: Item, content: Content) -> bytes | InputError:
    if isinstance(content, ItemError):
        if content.code == "input_missing":
            raise DatasetError("The data set was deleted while it was being learned from.")
        return InputError(content.message)
    if item.encoding not in ("zip", "sparse"):
        return bytes(content)
    try:
        return extract(content, item.encoding, item.size, item.size)
    except ArchiveError as err:
        return InputError(str(err))
