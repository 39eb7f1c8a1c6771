"""Scenes: handwritten digits of several sizes on cluttered grey grounds, with what they show.

Real handwriting on made grounds: each digit is one of scikit-learn's (data.py), cut to its
ink and enlarged; the ground is a smooth gradient with blotches, stray strokes and grain, all
darker than the ink. A scene of a training split shows only digits of that split, so that held-out
scenes hold handwriting that no training has seen. The same seed gives the same scenes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.media.opencv import cv2
from models.pictures.data import Labels, Pixels, heldout_digits, train_digits

Split = Literal["train", "heldout"]
Real = NDArray[np.float32]

SCENE_SIZE = 96
_MOST_DIGITS = 5
_HEIGHTS = (16, 40)  # of a digit's ink, in pixels
# Where a digit covers at least this share of a pixel, the pixel is the digit's.
_INK = 0.4
_TRIES = 20


@dataclass(frozen=True)
class Scene:
    """One picture and what it shows; n digits.

    image: uint8 (SCENE_SIZE, SCENE_SIZE), grey. boxes: float32 (n, 4), x1 y1 x2 y2 in pixels, just
    around the ink. labels: int64 (n,), 0 to 9. mask: uint8 (SCENE_SIZE, SCENE_SIZE), 0 for the
    ground and 1 + label for a digit's ink.
    """

    image: Pixels
    boxes: Real
    labels: Labels
    mask: Pixels


def make_scenes(count: int, seed: int, split: Split) -> Iterator[Scene]:
    """Yield so many scenes with digits of one split of the data."""
    random = np.random.default_rng(seed)
    inks, labels = inks_of(split)
    for _ in range(count):
        yield _scene(random, inks, labels)


def heldout_scenes(count: int = 500) -> list[Scene]:
    """Return the scenes by which the shipped networks are measured: never trained on."""
    return list(make_scenes(count, seed=2_000_000_000, split="heldout"))


@lru_cache(maxsize=2)
def inks_of(split: Split) -> tuple[list[Real], Labels]:
    """Return a split's digits, each cut to its ink: float32 (h, w) in [0, 1]; and labels."""
    images, labels = train_digits() if split == "train" else heldout_digits()
    return [_cut(image.astype(np.float32) / 255) for image in images], labels


def paint_ground(random: np.random.Generator, size: int) -> Real:
    """Paint a smooth ground with stray strokes: float32 (size, size), about 0 to 150."""
    coarse = random.uniform(0, 110, (5, 5)).astype(np.float32)
    ground = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    for _ in range(int(random.integers(0, 9))):
        ends = random.integers(-10, size + 10, 4).tolist()
        grey = float(random.uniform(20, 150))
        cv2.line(ground, ends[:2], ends[2:], grey, int(random.integers(1, 4)), cv2.LINE_AA)
    for _ in range(int(random.integers(0, 4))):
        centre = random.integers(0, size, 2).tolist()
        radius = int(random.integers(3, 16))
        thick = int(random.choice([-1, 1, 2]))
        cv2.circle(ground, centre, radius, float(random.uniform(0, 130)), thick)
    return np.asarray(ground, np.float32)


def _cut(ink: Real) -> Real:
    rows, columns = np.where(ink >= _INK)
    return ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def _scene(random: np.random.Generator, inks: list[Real], labels: Labels) -> Scene:
    """Paint a ground, then digits one after the other where there is room."""
    canvas = paint_ground(random, SCENE_SIZE)
    mask = np.zeros((SCENE_SIZE, SCENE_SIZE), np.uint8)
    boxes: list[tuple[int, int, int, int]] = []
    shown: list[int] = []
    for _ in range(int(random.integers(1, _MOST_DIGITS + 1))):
        which = int(random.integers(len(inks)))
        ink = _enlarge(inks[which], random)
        corner = _room(random, ink.shape, boxes)
        if corner is None:
            continue
        boxes.append(_paint(canvas, mask, ink, corner, int(labels[which]), random))
        shown.append(int(labels[which]))
    grainy = canvas + random.normal(0, random.uniform(2, 10), canvas.shape)
    image = np.clip(np.rint(grainy), 0, 255).astype(np.uint8)
    return Scene(image, np.asarray(boxes, np.float32), np.asarray(shown, np.int64), mask)


def _enlarge(ink: Real, random: np.random.Generator) -> Real:
    """Scale a digit to a random height; its shape varies by a fifth."""
    height = int(random.integers(_HEIGHTS[0], _HEIGHTS[1] + 1))
    width = max(4, round(height * ink.shape[1] / ink.shape[0] * random.uniform(0.9, 1.1)))
    scaled = cv2.resize(ink, (min(width, SCENE_SIZE), height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(scaled, np.float32)


def _room(
    random: np.random.Generator,
    shape: tuple[int, ...],
    taken: list[tuple[int, int, int, int]],
) -> tuple[int, int] | None:
    """Find a top left corner where a digit touches no other; None when there is no room."""
    height, width = shape
    for _ in range(_TRIES):
        top = int(random.integers(SCENE_SIZE - height + 1))
        left = int(random.integers(SCENE_SIZE - width + 1))
        if all(
            left >= x2 or x1 >= left + width or top >= y2 or y1 >= top + height
            for x1, y1, x2, y2 in taken
        ):
            return top, left
    return None


def _paint(
    canvas: Real,
    mask: Pixels,
    ink: Real,
    corner: tuple[int, int],
    label: int,
    random: np.random.Generator,
) -> tuple[int, int, int, int]:
    """Blend a digit into the canvas and the mask; returns its box x1 y1 x2 y2."""
    (top, left), (height, width) = corner, ink.shape
    place = np.s_[top : top + height, left : left + width]
    bright = random.uniform(175, 255)
    canvas[place] += ink * (bright - canvas[place])
    covered = ink >= _INK
    mask[place][covered] = label + 1
    rows, columns = np.where(covered)
    return (
        left + int(columns.min()),
        top + int(rows.min()),
        left + int(columns.max()) + 1,
        top + int(rows.max()) + 1,
    )
