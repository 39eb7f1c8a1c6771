"""What the jobs of the fault suite are made of, and what each of their answers must be."""

import zipfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from models.catalog import SHIPPED, check_params, shipped_weights
from models.pictures.data import encode, heldout_digits
from models.runtime.registry import load
from tests.faults.rig.decoders import DEADLY
from tests.faults.rig.networks import MARKED


class Answer(NamedTuple):
    """What one item must end with: a class and its confidence, or the code of an error."""

    word: str
    confidence: float = 0.0


def marked_picture() -> bytes:
    """The picture that the misbehaving networks misbehave at."""
    return encode(np.full((28, 28), MARKED, np.uint8), ".png")


def deadly_picture() -> bytes:
    """A picture that the workers' decoder dies of; any other decoder reads it."""
    return encode(np.zeros((28, 28), np.uint8), ".png") + DEADLY


@lru_cache(1)
def direct_inference() -> tuple[list[bytes], list[Answer]]:
    """Give the held-out digits as PNG, and what `digits`, called directly, says of each."""
    network = load(SHIPPED["digits"], shipped_weights("digits").read_bytes())
    files = [encode(image, ".png") for image in heldout_digits()[0]]
    outputs = network.forward([network.prepare(file) for file in files])
    found = network.postprocess(outputs, check_params("classification", {}))
    return files, [Answer(best["class"], best["confidence"]) for (best,) in found]


def write_job(
    path: Path, items: int, poison: Mapping[int, tuple[bytes, str]] | None = None
) -> list[Answer]:
    """Write a zip of `items` pictures; gives each one's answer.

    `poison` puts other pictures in some places, with the code that each of them must end with.
    """
    poison = poison or {}
    files, answers = direct_inference()
    expected = []
    with zipfile.ZipFile(path, "w") as archive:
        for index in range(items):
            data, code = poison.get(index, (files[index % len(files)], ""))
            archive.writestr(f"{index:06d}.png", data)
            expected.append(Answer(code) if code else answers[index % len(files)])
    return expected
