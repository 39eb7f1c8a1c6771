"""What is inferred: networks with seeded weights, and pictures, written once into build/bench/.

Published weights are not at hand where a benchmark runs, and time does not depend on their values:
a network drawn from a fixed seed takes as long, and its labels are as good to compare.
"""

import json
import os
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import torch

from benchmarks.figures import BUILD
from benchmarks.foreign import made
from benchmarks.rows.photos import make_phone_photos
from benchmarks.seeded import seeded_weights
from models.catalog import SHIPPED, shipped_weights
from models.networks.torchvision import torchvision_record
from models.pictures.data import encode, heldout_digits, make_photos
from models.records.record import ModelRecord
from models.runtime.network import Network
from models.runtime.registry import load

# The setting of our workers, which all contestants follow.
PRECISION = "PIXELMILL_PRECISION"


@dataclass(frozen=True, slots=True)
class Work:
    """One network and the pictures for it, in a folder: record, weights, and a stored zip."""

    folder: Path

    @property
    def record(self) -> ModelRecord:
        """The network's record."""
        return ModelRecord.from_json(json.loads((self.folder / "record.json").read_text()))

    @property
    def weights(self) -> bytes:
        """The network's weights, safetensors."""
        return (self.folder / "weights.safetensors").read_bytes()

    @property
    def archive(self) -> Path:
        """The pictures in one zip, in the order of their names."""
        return self.folder / "items.zip"

    def load(self) -> Network:
        """Build the network, warmed up, to compute in what the environment says."""
        precision = os.environ.get(PRECISION, "float32")
        autocast = None if precision == "float32" else getattr(torch, precision)
        network = load(self.record, self.weights, autocast=autocast)
        network.warm_up()
        return network

    def items(self) -> list[bytes]:
        """Read every picture, encoded."""
        with zipfile.ZipFile(self.archive) as archive:
            return [archive.read(name) for name in archive.namelist()]


def photos(count: int, architecture: str = "torchvision/mobilenet_v3_small") -> Work:
    """Give JPEG photos of about 500 x 375 and one of torchvision's classifiers."""
    folder = BUILD / "bench" / f"{architecture.partition('/')[2]}-{count}"
    if not _is_written(folder):
        record = torchvision_record(architecture)
        _write(folder, record, seeded_weights(record), _named(make_photos(count), ".jpg"))
    return Work(folder)


def phone_photos(count: int, architecture: str = "torchvision/mobilenet_v3_small") -> Work:
    """Give JPEG photos of twelve megapixels, as phones take them, and one of torchvision's nets."""
    folder = BUILD / "bench" / f"phone-{architecture.partition('/')[2]}-{count}"
    if not _is_written(folder):
        record = torchvision_record(architecture)
        _write(folder, record, seeded_weights(record), _named(make_phone_photos(count), ".jpg"))
    return Work(folder)


def foreign(count: int, name: str) -> Work:
    """Give JPEG photos and a network of another source (benchmarks/foreign.py)."""
    folder = BUILD / "bench" / f"{name}-{count}"
    if not _is_written(folder):
        record, weights = made(name)
        _write(folder, record, weights, _named(make_photos(count), ".jpg"))
    return Work(folder)


def digits(count: int) -> Work:
    """Give PNGs of digits, the held-out ones again and again, and the shipped network."""
    folder = BUILD / "bench" / f"digits-{count}"
    if not _is_written(folder):
        files = [encode(image, ".png") for image in heldout_digits()[0]]
        items = _named(islice(cycle(files), count), ".png")
        _write(folder, SHIPPED["digits"], shipped_weights("digits").read_bytes(), items)
    return Work(folder)


def _named(items: Iterable[bytes], suffix: str) -> Iterator[tuple[str, bytes]]:
    for number, item in enumerate(items):
        yield f"{number:06d}{suffix}", item


def _is_written(folder: Path) -> bool:
    # The record is written last: whoever is broken off begins anew.
    return (folder / "record.json").exists()


def _write(
    folder: Path, record: ModelRecord, weights: bytes, items: Iterable[tuple[str, bytes]]
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "weights.safetensors").write_bytes(weights)
    with zipfile.ZipFile(folder / "items.zip", "w") as archive:
        for name, item in items:
            archive.writestr(name, item)
    (folder / "record.json").write_text(json.dumps(record.to_json()))
