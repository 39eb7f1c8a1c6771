"""Real photos of many megapixels, as found in a folder: none is kept in the repository.

Debian's wallpaper packages hold some (docs/performance.md says which). Put their `.deb`
files, or photos of your own, into build/photos: packages are unpacked there, and what is drawn and
not photographed is left out of them by name.
"""

import subprocess
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.figures import BUILD
from models.media.memory import Pixels
from models.media.opencv import cv2
from models.pictures.data import encode, sample_photos
from models.pictures.scenes import inks_of

FOLDER = BUILD / "photos"
# A camera of eight megapixels takes 3264 x 2448.
LEAST_PIXELS = 7_900_000
_QUALITY = 92
# Width and height that most phones give.
_PHONE = (4032, 3024)
_GRAIN = ((1, 1.5), (2, 2.0), (4, 4.0), (16, 5.0))
_PHONE_QUALITY = 88
_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
# Of the wallpapers, those that a camera took.
_TAKEN = frozenset(
    (
        "Bridge_by_Sander_Klootwijk",
        "Dragonfly_by_Bolly",
        "Kleiber_by_Lukas_Baubkus",
        "Wine_by_Jakkub_Mede",
        "seeding_by_Clements_Engelhardt",
        "sunset_by_Aitzol_Berasategi",
        "picosdeeuropa_by_Aitzol_Berasategi",
        "aitzgorri_by_Aitzol_Berasategi",
        "friends_by_Aitzol_Berasategi",
        "life_by_Aitzol_Berasategi",
        "analogpattern_by_Peter_Nerlich",
        "free_by_Peter_Nerlich",
        "greentock_by_Peter_Nerlich",
        "Picture_0B_by_freespace",
        "abstract-spiral",
        "beacon-street-sunset",
        "blue-periwinkle",
        "canyon-wren",
        "casa-mila",
        "extreme-desert-hike",
        "high-trestle-trail",
        "lake-sherburne",
        "oakland-zoo-otters",
        "ocean-waves",
        "perched-osprey",
        "piazza-gae-aulenti",
        "roman-colosseum",
        "singaporean-cityscape",
        "tea-gardens",
        "Acrylic",
        "ColdWarm",
        "Icetwigs",
        "LightWaves",
        "Road",
        "SeaSunset",
        "Stripes",
        "Wood",
        "Aqua",
        "Garden",
        "LadyBird",
        "TwoWings",
        "YellowFlower",
        "after-the-rain",
        "appleflower",
        "beam",
        "butterfly",
        "flowers",
        "Autumn",
        "BytheWater",
        "ColdRipple",
        "ColorfulCups",
        "DarkestHour",
        "EveningGlow",
        "FallenLeaf",
        "Grey",
        "Kite",
        "OneStandsOut",
        "Path",
    )
)
# Digits on photos: heights of ink and grounds as the shipped networks know them (models/pictures).
_INK_HEIGHTS, _DIGITS, _DARKER = (16 / 96, 40 / 96), 4, 0.55
# And how high such a picture is: a camera's.
_DIGITS_SIDE = 2448


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo: its name, and uint8 RGB (h, w, 3), upright."""

    name: str
    pixels: Pixels

    @property
    def is_large(self) -> bool:
        """Whether it has eight megapixels or more."""
        return self.pixels.shape[0] * self.pixels.shape[1] >= LEAST_PIXELS


def photos(
    least_pixels: int = LEAST_PIXELS, folder: Path = FOLDER
) -> Iterator[tuple[Photo, bytes]]:
    """Yield each photo and its JPEG file; what is no baseline JPEG is encoded as one, once."""
    for path in sorted(_paths(folder, least_pixels)):
        with Image.open(path) as opened:
            is_baseline = opened.format == "JPEG" and not opened.info.get("progressive")
            is_baseline &= opened.getexif().get(0x0112, 1) == 1
            pixels = np.asarray(opened.convert("RGB"))
        name = path.parents[2].name if path.stem[:1].isdigit() else path.stem
        data = path.read_bytes() if is_baseline else encode(pixels, ".jpg", _QUALITY)
        yield Photo(name, pixels), data


def crops(photo: Photo, count: int, random: np.random.Generator) -> Iterator[bytes]:
    """Yield parts of a photo, of half its sides or more, as JPEG."""
    height, width = photo.pixels.shape[:2]
    for _ in range(count):
        h, w = (_even(side * random.uniform(0.5, 1.0)) for side in (height, width))
        top, left = int(random.integers(height - h + 1)), int(random.integers(width - w + 1))
        cut = np.ascontiguousarray(photo.pixels[top : top + h, left : left + w])
        yield encode(cut, ".jpg", _QUALITY)


def with_digits(photo: Photo, random: np.random.Generator) -> bytes:
    """Write digits by hand on a darkened photo, as JPEG."""
    pixels, side = photo.pixels, min(photo.pixels.shape[:2])
    if side > _DIGITS_SIDE:
        scale = _DIGITS_SIDE / side
        size = [_even(each * scale) for each in pixels.shape[1::-1]]
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    canvas = pixels.astype(np.float32) * _DARKER
    inks, _ = inks_of("heldout")
    height, width = canvas.shape[:2]
    columns = width // _DIGITS
    for number in range(_DIGITS):
        ink = inks[int(random.integers(len(inks)))]
        tall = round(min(height, width) * random.uniform(*_INK_HEIGHTS))
        wide = min(round(tall * ink.shape[1] / ink.shape[0]), columns)
        large = cv2.resize(ink, (wide, tall), interpolation=cv2.INTER_LINEAR)[:, :, None]
        top = int(random.integers(height - tall + 1))
        left = number * columns + int(random.integers(columns - wide + 1))
        place = canvas[top : top + tall, left : left + wide]
        place += large * (random.uniform(175, 255) - place)
    return encode(np.clip(np.rint(canvas), 0, 255).astype(np.uint8), ".jpg", _QUALITY)


def _even(side: float) -> int:
    """Round so that a decoder can scale it down; it reads all pixels of other sizes."""
    return int(side) // 8 * 8


def make_phone_photos(count: int, seed: int = 0) -> Iterator[bytes]:
    """Yield baseline JPEG files of 4032 x 3024, all different; the same seed gives the same.

    Small photos enlarged and given a grain of several sizes: without it there would be next to
    nothing in a file to decode. Some 2 MB each, as a phone's.
    """
    random = np.random.default_rng(seed)
    width, height = _PHONE
    grain = np.zeros((height, width), np.float32)
    for coarse, strength in _GRAIN:
        few = random.normal(0, strength, (height // coarse, width // coarse)).astype(np.float32)
        grain += cv2.resize(few, _PHONE, interpolation=cv2.INTER_LINEAR)
    small = list(sample_photos().values())
    for number in range(count):
        photo = small[number % len(small)]
        top, left = (int(random.integers(side // 3)) for side in photo.shape[:2])
        cut = np.ascontiguousarray(photo[top:, left:])
        large = cv2.resize(cut, _PHONE, interpolation=cv2.INTER_CUBIC).astype(np.float32)
        large += np.roll(grain, tuple(random.integers(0, width, 2)), (0, 1))[:, :, None]
        yield encode(np.clip(large, 0, 255).astype(np.uint8), ".jpg", _PHONE_QUALITY)


def _paths(folder: Path, least_pixels: int) -> Iterator[Path]:
    seen = set()
    for package in folder.glob("**/*.deb"):
        unpacked = folder / "unpacked" / package.stem
        if not unpacked.exists():
            unpacked.mkdir(parents=True)
            subprocess.run(["dpkg", "-x", str(package), str(unpacked)], check=True)  # noqa: S603, S607  # our own command line
    for path in folder.rglob("*"):
        if path.suffix.lower() not in _SUFFIXES or path.is_symlink():
            continue
        is_packed = "unpacked" in path.parts
        name = path.parents[2].name if path.stem[:1].isdigit() and is_packed else path.stem
        if (is_packed and name not in _TAKEN) or (name, is_packed) in seen:
            continue
        with warnings.catch_warnings(), Image.open(path) as opened:
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            if opened.width * opened.height >= least_pixels:
                seen.add((name, is_packed))
                yield path
