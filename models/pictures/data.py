"""The pictures for training, tests and benchmarks: all come with scikit-learn, none is fetched.

Digits: UCI "Optical Recognition of Handwritten Digits" (Alpaydin, Kaynak 1998; CC BY 4.0), the
1,797 pictures of scikit-learn's copy, 8 x 8 with values 0 to 16, light on dark. Photos:
scikit-learn's `china.jpg` and `flower.jpg`, 427 x 640.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits, load_sample_images
from sklearn.model_selection import train_test_split

from models.media.opencv import cv2

Pixels = NDArray[np.uint8]
Labels = NDArray[np.int64]

DIGIT_SIZE = 28
HELD_OUT = 0.2
# Fixed for ever: figures on a model card speak of this split.
SPLIT_SEED = 20_240_229
_PHOTO_SIZE = (500, 375)  # width x height around which `make_photos` varies


def train_digits() -> tuple[Pixels, Labels]:
    """Return the 80 % of the digits to train on: uint8 (1437, 28, 28) and labels (1437,)."""
    images, labels = _digits()
    rows, _ = _split(labels)
    return images[rows], labels[rows]


def heldout_digits() -> tuple[Pixels, Labels]:
    """Return the 20 % that no training sees: uint8 (360, 28, 28) and labels (360,)."""
    images, labels = _digits()
    _, rows = _split(labels)
    return images[rows], labels[rows]


def write_png_folder(
    folder: Path, images: Pixels, labels: Sequence[int] | Labels
) -> list[tuple[Path, int]]:
    """Write grey pictures (N, H, W) as 00000.png, 00001.png, ...; returns (path, label) pairs."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = folder / f"{index:05d}.png"
        path.write_bytes(encode(image, ".png"))
        written.append((path, int(label)))
    return written


def sample_photos() -> dict[str, Pixels]:
    """Return the two photos by name ("china", "flower"): uint8 RGB (427, 640, 3)."""
    loaded = load_sample_images()
    return {
        Path(name).stem: np.asarray(photo, np.uint8)
        for name, photo in zip(loaded.filenames, loaded.images, strict=True)
    }


def make_photos(count: int, seed: int = 0) -> Iterator[bytes]:
    """Yield JPEG files cut from the two photos, all different; the same seed gives the same.

    Crops, mirrors, brightness, quality and sizes (about 500 x 375, either way up) vary.
    """
    photos = list(sample_photos().values())
    random = np.random.default_rng(seed)
    for _ in range(count):
        photo = _vary(photos[random.integers(len(photos))], random)
        yield encode(photo, ".jpg", int(random.integers(75, 96)))


def encode(pixels: Pixels, suffix: str, quality: int = 90) -> bytes:
    """Encode uint8 RGB (H, W, 3) or grey (H, W) as ".png" or ".jpg" (`quality` 1 to 100)."""
    stored = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if suffix == ".jpg" else []
    _, data = cv2.imencode(suffix, stored, options)
    return bytes(data)


def _digits() -> tuple[Pixels, Labels]:
    """Return all digits, enlarged from 8 x 8 to 28 x 28 and from 0..16 to 0..255."""
    loaded = load_digits()
    enlarged = [
        cv2.resize(image * (255 / 16), (DIGIT_SIZE, DIGIT_SIZE), interpolation=cv2.INTER_CUBIC)
        for image in loaded.images
    ]
    images = np.clip(np.rint(np.stack(enlarged)), 0, 255).astype(np.uint8)
    return images, np.asarray(loaded.target, np.int64)


def _split(labels: Labels) -> tuple[Labels, Labels]:
    """Return the row numbers to train on and those held out, each class in its share."""
    rows, held_out = train_test_split(
        np.arange(len(labels)), test_size=HELD_OUT, stratify=labels, random_state=SPLIT_SEED
    )
    return rows, held_out


def _vary(photo: Pixels, random: np.random.Generator) -> Pixels:
    """Cut, mirror, resize and brighten one photo."""
    height, width = photo.shape[:2]
    share = random.uniform(0.6, 1.0)
    cut_height, cut_width = int(height * share), int(width * share)
    top = random.integers(height - cut_height + 1)
    left = random.integers(width - cut_width + 1)
    cut = photo[top : top + cut_height, left : left + cut_width]
    if random.random() < 0.5:
        cut = cut[:, ::-1]
    scale = random.uniform(0.8, 1.2)
    size = [round(side * scale) for side in _PHOTO_SIZE]
    if random.random() < 0.25:
        size.reverse()
    resized = cv2.resize(np.ascontiguousarray(cut), size, interpolation=cv2.INTER_AREA)
    bright = np.asarray(resized, np.float32) * random.uniform(0.7, 1.3)
    return np.asarray(np.clip(bright, 0, 255), np.uint8)
