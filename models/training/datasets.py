"""Data sets of one folder a class: in a folder or a zip, split by a seed, read when needed.

    cats_and_dogs/cats/1.jpg   the folder that holds an image names its class: "cats"
    cats_and_dogs/README.txt   a folder without images of its own is no class

Only names are kept in memory; bytes are read for each batch, so a set may be larger than memory.
"""

import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from models.records.errors import DatasetError, InputError

Rows = NDArray[np.int64]

MOST_CLASSES = 1000
# Characters of a class's name: each version's record and every look at a training has them all.
LONGEST_LABEL = 200
# Of each class: one image to learn from, and one to measure by.
LEAST_OF_CLASS = 2
_LARGEST_FILE = 100 * 1024 * 1024
# What file managers leave behind.
_DROPPINGS = frozenset({"Thumbs.db", "desktop.ini"})


class Images(Protocol):
    """A labelled data set. `classes` holds each image's position among the `labels`: (N,)."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes, sorted."""

    @property
    def classes(self) -> Rows:
        """Each image's class."""

    def read(self, rows: Rows) -> Iterator[bytes | InputError]:
        """Give the encoded images of these rows, each or why it cannot be read, few at a time."""

    def name(self, row: int) -> str:
        """Give an image's name."""


class Split(NamedTuple):
    """Rows to learn from, and rows held out to measure by."""

    training: Rows
    validation: Rows


class Arranged(NamedTuple):
    """Names in classes: `names[i]` is of class `labels[classes[i]]`."""

    names: list[str]
    labels: tuple[str, ...]
    classes: Rows


def label_of(name: str) -> str | None:
    """Give the class that a path with forward slashes says; None for what belongs to no class."""
    # By hand: a path object takes ten times as long, and there may be a million.
    folders, _, last = name.rpartition("/")
    folder = folders.rstrip("/").rpartition("/")[2]
    hidden = last.startswith(".") or folder.startswith(".") or "__MACOSX" in folders
    return None if hidden or last in _DROPPINGS else folder or None


def arrange(names: Iterable[str]) -> Arranged:
    """Put names into classes, in sorted order; raises DatasetError when that makes no data set."""
    labelled = sorted((name, label) for name in names if (label := label_of(name)) is not None)
    counts = Counter(label for _, label in labelled)
    check_classes(counts)
    labels = tuple(sorted(counts))
    positions = {label: position for position, label in enumerate(labels)}
    classes = np.asarray([positions[label] for _, label in labelled], np.int64)
    return Arranged([name for name, _ in labelled], labels, classes)


def check_classes(counts: Mapping[str, int]) -> None:
    """Refuse what cannot be learned from, by the number of files of each class; DatasetError."""
    if len(counts) < 2:
        found = f"only {next(iter(counts))!r} was found" if counts else "none was found"
        raise DatasetError(
            f"A data set needs at least two classes; {found}. Make a folder for each class, named "
            "after it, with its images inside."
        )
    if len(counts) > MOST_CLASSES:
        raise DatasetError(
            f"The data set has {len(counts):,} classes; at most {MOST_CLASSES:,} are trained. "
            "The folder that holds an image names its class."
        )
    longest = max(counts, key=len)
    if len(longest) > LONGEST_LABEL:
        raise DatasetError(
            f"The class {longest[:20]!r}… has a name of {len(longest):,} characters; at most "
            f"{LONGEST_LABEL} are taken. Rename its folder."
        )
    few = sorted(label for label, count in counts.items() if count < LEAST_OF_CLASS)
    if few:
        raise DatasetError(
            f"Class {few[0]!r} has {counts[few[0]]} image; each needs at least {LEAST_OF_CLASS}: "
            "one to learn from and one to measure by."
        )


def split(classes: Rows, share: float, seed: int) -> Split:
    """Hold out a share of each class, at least one image, and leave at least one to learn from.

    The same classes, share and seed give the same split.
    """
    training, validation = [], []
    for each in np.unique(classes):
        rows = np.flatnonzero(classes == each)
        shuffled = np.random.default_rng([seed, int(each)]).permutation(rows)
        held_out = min(max(1, round(share * len(rows))), len(rows) - 1)
        validation.append(shuffled[:held_out])
        training.append(shuffled[held_out:])
    return Split(np.sort(np.concatenate(training)), np.sort(np.concatenate(validation)))


class FolderImages:
    """The images of a folder on disk; raises DatasetError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        files = (path for path in folder.rglob("*") if path.is_file())
        self._names, self.labels, self.classes = arrange(
            path.relative_to(folder).as_posix() for path in files
        )

    def read(self, rows: Rows) -> Iterator[bytes | InputError]:
        """Give the encoded images of these rows."""
        return (self._read(self._folder / self._names[row]) for row in rows)

    def name(self, row: int) -> str:
        """Give an image's path in the folder."""
        return self._names[row]

    def _read(self, path: Path) -> bytes | InputError:
        try:
            return path.read_bytes()
        except OSError as err:
            return InputError(f"The file cannot be read: {err.strerror or err}.")


class ZipImages:
    """The images of a zip on disk; raises DatasetError."""

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as err:
            raise DatasetError(f"{path} is no zip that can be read: {err}.") from err
        members = (each.filename for each in self._zip.infolist() if not each.is_dir())
        self._names, self.labels, self.classes = arrange(members)

    def read(self, rows: Rows) -> Iterator[bytes | InputError]:
        """Give the encoded images of these rows."""
        return (self._read(self._names[row]) for row in rows)

    def name(self, row: int) -> str:
        """Give an image's path in the zip."""
        return self._names[row]

    def _read(self, name: str) -> bytes | InputError:
        size = self._zip.getinfo(name).file_size
        if size > _LARGEST_FILE:
            return InputError(f"The file has {size:,} bytes; at most {_LARGEST_FILE:,} are read.")
        try:
            return self._zip.read(name)
        except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as err:
            return InputError(f"The member cannot be read: {err}.")


def open_images(path: Path) -> Images:
    """Open a data set: a folder, or a zip of one; raises DatasetError."""
    return FolderImages(path) if path.is_dir() else ZipImages(path)
