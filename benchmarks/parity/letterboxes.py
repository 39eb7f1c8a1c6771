"""Letterboxes against their trainers' published rules, drawn by OpenCV's own functions."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import cv2
import numpy as np

from benchmarks.parity.compared import Measure, Pixels, Row, blots, compared
from models.preprocessing.whole_pictures import WholePicture, resize_whole
from models.records.record import Limits

# (height, width): larger and smaller than the samples, square, tall, wide, prime, exact fits.
SIZES = (
    (480, 640), (640, 480), (64, 96), (96, 64), (128, 192), (32, 48), (1, 1), (2, 3), (7, 5),
    (63, 97), (65, 95), (101, 103), (333, 500), (375, 500), (427, 640), (1080, 1920), (31, 300),
    (300, 31), (17, 89), (89, 17), (640, 640), (97, 97), (96, 145), (127, 191), (719, 1281),
    (5, 64), (641, 479), (211, 317), (59, 61), (1000, 667),
)  # fmt: skip
SAMPLES = ((64, 96), (96, 96), (160, 128), (640, 640))

Letterbox = Callable[[Pixels, int, int], Pixels]


def _differing(ours: Pixels, theirs: Pixels) -> float:
    return float((ours != theirs).any(-1).sum())


PIXELS = Measure("pixels that differ", 0.0, _differing)


def ultralytics(picture: Pixels, height: int, width: int) -> Pixels:
    """Place a picture as Ultralytics publishes it."""
    given_h, given_w = picture.shape[:2]
    ratio = min(height / given_h, width / given_w)
    new_w, new_h = round(given_w * ratio), round(given_h * ratio)
    half_w, half_h = (width - new_w) / 2, (height - new_h) / 2
    if (given_w, given_h) != (new_w, new_h):
        picture = cv2.resize(picture, (new_w, new_h), interpolation=cv2.INTER_LINEAR)
    top, bottom = round(half_h - 0.1), round(half_h + 0.1)
    left, right = round(half_w - 0.1), round(half_w + 0.1)
    return cv2.copyMakeBorder(
        picture, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(114, 114, 114)
    )


def yolox(picture: Pixels, height: int, width: int) -> Pixels:
    """Place a picture, blue first, as YOLOX publishes it."""
    canvas = np.ones((height, width, 3), np.uint8) * 114
    ratio = min(height / picture.shape[0], width / picture.shape[1])
    new_h, new_w = int(picture.shape[0] * ratio), int(picture.shape[1] * ratio)
    swapped = np.ascontiguousarray(picture[:, :, ::-1])
    canvas[:new_h, :new_w] = cv2.resize(swapped, (new_w, new_h), interpolation=cv2.INTER_LINEAR)
    return canvas


LETTERBOXES: Mapping[str, tuple[Letterbox, dict[str, Any]]] = {
    "center, as Ultralytics'": (ultralytics, {"align": "center", "order": "rgb"}),
    "corner, as YOLOX's": (yolox, {"align": "corner", "order": "bgr"}),
}


def sample_of(picture: Pixels, sample: tuple[int, int], how: Mapping[str, Any]) -> Pixels:
    """Give our sample, uint8 (h, w, 3)."""
    spec = WholePicture(3, [0.0] * 3, [1.0] * 3, letterbox=[*sample], resize_by="opencv", **how)
    return resize_whole(picture, spec, Limits()).permute(1, 2, 0).numpy()


def rows() -> Iterator[Row]:
    """Compare every size of a picture in every size of a sample."""
    for name, (theirs, how) in LETTERBOXES.items():
        answers = [
            (sample_of(picture, sample, how), theirs(picture, *sample))
            for sample in SAMPLES
            for picture in (blots(*size) for size in SIZES)
        ]
        two = theirs(blots(480, 640), 64, 96), theirs(blots(480, 640, seed=1), 64, 96)
        yield from compared("letterbox", name, "all", [PIXELS], answers, two)
