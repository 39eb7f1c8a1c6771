"""What is decoded, as hashes: `python -m tests.odd.hashes pictures`, to be compared between runs.

Memory that a decoder did not write differs between two processes whose MALLOC_PERTURB_ differs.
"""

import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from models.media import pictures
from models.media.films import open_video
from models.media.sampling import Sampling
from models.records.errors import InputError
from models.records.record import VIDEO_LIMITS, Limits
from tests.odd.damage import damaged, sound_files
from tests.odd.moving.films import make_films
from tests.odd.still.pictures import FAMILIES, pictures_of

_DAMAGES = 12


def of_pictures() -> Iterator[tuple[str, str]]:
    """Give the name and hash of every odd picture, in colour and grey, and of damaged ones."""
    for family in FAMILIES:
        for odd in pictures_of(family):
            for channels in (1, 3):
                yield f"{odd.name} {channels}", _hash_of_picture(odd.data, channels)
    for name, sound in sound_files().items():
        for number, data in enumerate(damaged(sound.data, _DAMAGES, seed=2)):
            yield f"damaged {name} {number}", _hash_of_picture(data, 3)


def of_films(folder: str) -> Iterator[tuple[str, str]]:
    """Give the name and hash of every odd film that was made in a folder, of all its frames."""
    for odd in make_films(Path(folder)):
        yield odd.name, _hash_of_film(odd.path)


def _hash_of_picture(data: bytes, channels: int) -> str:
    try:
        pixels = pictures.decode(data, channels, Limits()).pixels
    except InputError as err:
        return err.code
    return _digest([pixels.tobytes()])


def _hash_of_film(path: Path) -> str:
    try:
        with path.open("rb") as file, open_video(file, path.stat().st_size, VIDEO_LIMITS) as film:
            return _digest(
                np.ascontiguousarray(frame.pixels).tobytes()
                for frame in film.frames(Sampling(every_nth=1))
            )
    except InputError as err:
        return err.code


def _digest(parts: Iterator[bytes] | list[bytes]) -> str:
    hashed = hashlib.sha256()
    for part in parts:
        hashed.update(part)
    return hashed.hexdigest()[:16]


KINDS: Mapping[str, Callable[..., Iterator[tuple[str, str]]]] = {
    "pictures": of_pictures,
    "films": of_films,
}

if __name__ == "__main__":
    for name, value in KINDS[sys.argv[1]](*sys.argv[2:]):
        print(name, value, sep="\t")
