"""Small labelled data sets made of handwritten digits."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from models.pictures.data import encode, train_digits
from models.records.errors import InputError
from models.training.datasets import Rows


class DigitImages:
    """Some digits of some classes, as PNG, in memory; `broken` rows cannot be decoded."""

    def __init__(self, digits: Sequence[int], each: int, broken: Sequence[int] = ()) -> None:
        images, labels = train_digits()
        rows = [row for digit in digits for row in np.flatnonzero(labels == digit)[:each]]
        self.labels = tuple(str(digit) for digit in digits)
        self.classes: Rows = np.repeat(np.arange(len(digits)), each)
        self.files = [encode(images[row], ".png") for row in rows]
        for row in broken:
            self.files[row] = self.files[row][:40]

    def read(self, rows: Rows) -> Iterator[bytes | InputError]:
        return (self.files[row] for row in rows)

    def name(self, row: int) -> str:
        return f"{self.labels[self.classes[row]]}/{row}.png"

    def write(self, folder: Path) -> Path:
        """Write them as a folder a class."""
        for row, file in enumerate(self.files):
            path = folder / self.name(row)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file)
        return folder
