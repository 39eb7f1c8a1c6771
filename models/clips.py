"""Clips: a handwritten digit that walks over a cluttered grey ground, frame by frame.

Real handwriting on made grounds, as in models/scenes.py. A stream never ends: after some frames
the digit turns, or the film cuts to another digit on another ground. Who walks out of the picture
on one side walks in on the other. A stream of a training split shows only digits of that split, so
that held-out streams hold handwriting that no training has seen. The same seed gives the same
stream.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.data import Labels, Pixels
from models.opencv import cv2
from models.scenes import Real, Split, inks_of, paint_ground

Point = NDArray[np.float64]  # down and to the right, in pixels

CLIP_SIZE = 64
CLIP_FRAMES = 16
DIRECTIONS = ("left", "right", "up", "down")
# To see that a digit moves, and where to, takes some frames: what is true after a frame is what was
# shown so many frames before it.
LATENCY = 3
# Clockwise from the right, as rows of a picture are counted downwards.
_ANGLES = {"left": np.pi, "right": 0.0, "up": -np.pi / 2, "down": np.pi / 2}
_HEIGHTS = (16, 32)  # of a digit's ink, in pixels
_SPEEDS = (0.75, 3.0)  # pixels a frame
_SLANT = 0.25  # radians by which a way may differ from its direction
_LEGS = (CLIP_FRAMES, 64)  # frames from one change to the next
_CUTS = 0.5  # the share of changes that are cuts; the others are turns


@dataclass(frozen=True)
class Film:
    """Frames of a stream and what is true after each; T frames.

    frames: uint8 (T, CLIP_SIZE, CLIP_SIZE), grey. digits: int64 (T,), 0 to 9. directions: int64
    (T,), positions in DIRECTIONS.
    """

    frames: Pixels
    digits: Labels
    directions: Labels


@dataclass(frozen=True)
class _Shot:
    """What is seen between two cuts: a digit's ink, in the middle of a canvas, over a ground."""

    digit: int
    ink: Real
    ground: Real
    bright: float
    grain: float


@dataclass(frozen=True)
class _Leg:
    """A way that is gone for so many frames; speed: pixels a frame, down and to the right."""

    direction: int
    speed: Point
    frames: int


class Stream:
    """An endless film of one digit after the other."""

    def __init__(self, random: np.random.Generator, split: Split) -> None:
        """Begin with a digit of the split, somewhere, on its way somewhere."""
        self._random, self._split = random, split
        self._shot = _shot(random, split)
        self._leg = _leg(random, range(len(DIRECTIONS)))
        self._place = random.uniform(0, CLIP_SIZE, 2)
        self._walked = 0
        self._shown = [(self._shot.digit, self._leg.direction)] * LATENCY

    def take(self, count: int) -> Film:
        """Give the next frames."""
        frames = np.stack([self._next() for _ in range(count)])
        true, self._shown = self._shown[:count], self._shown[count:]
        digits, directions = np.asarray(true, np.int64).T
        return Film(frames, digits, directions)

    def _next(self) -> Pixels:
        """Give one frame and walk on."""
        if self._walked == self._leg.frames:
            self._change()
        frame = _paint(self._shot, self._place, self._random)
        self._shown.append((self._shot.digit, self._leg.direction))
        self._place = (self._place + self._leg.speed) % CLIP_SIZE
        self._walked += 1
        return frame

    def _change(self) -> None:
        """Turn, or cut to another digit somewhere else."""
        ways = range(len(DIRECTIONS))
        if self._random.random() < _CUTS:
            self._shot = _shot(self._random, self._split)
            self._place = self._random.uniform(0, CLIP_SIZE, 2)
            self._leg = _leg(self._random, ways)
        else:
            self._leg = _leg(self._random, [way for way in ways if way != self._leg.direction])
        self._walked = 0


def make_streams(count: int, seed: int, split: Split) -> list[Stream]:
    """Begin so many streams, each with a randomness of its own."""
    return [Stream(random, split) for random in np.random.default_rng(seed).spawn(count)]


def heldout_clips(count: int = 500) -> list[Film]:
    """Return clips in which nothing changes, by which the shipped network is measured."""
    return [stream.take(CLIP_FRAMES) for stream in make_streams(count, 2_000_000_000, "heldout")]


def heldout_streams(count: int = 16, frames: int = 960) -> list[Film]:
    """Return streams of two minutes at eight frames a second, likewise."""
    return [stream.take(frames) for stream in make_streams(count, 2_000_000_001, "heldout")]


def _shot(random: np.random.Generator, split: Split) -> _Shot:
    inks, labels = inks_of(split)
    which = int(random.integers(len(inks)))
    ink, ground = _on_canvas(inks[which], random), paint_ground(random, CLIP_SIZE)
    return _Shot(int(labels[which]), ink, ground, random.uniform(175, 255), random.uniform(2, 10))


def _leg(random: np.random.Generator, ways: Sequence[int]) -> _Leg:
    direction = int(random.choice(ways))
    angle = _ANGLES[DIRECTIONS[direction]] + random.uniform(-_SLANT, _SLANT)
    speed = random.uniform(*_SPEEDS) * np.array([np.sin(angle), np.cos(angle)])
    return _Leg(direction, speed, int(random.integers(*_LEGS)))


def _paint(shot: _Shot, place: Point, random: np.random.Generator) -> Pixels:
    """Paint a digit that has walked from the middle to `place`, going round at the borders."""
    down, right = np.rint(place).astype(int).tolist()
    ink = np.roll(shot.ink, (down, right), (0, 1))
    frame = shot.ground + ink * (np.float32(shot.bright) - shot.ground)
    frame += np.float32(shot.grain) * random.standard_normal(frame.shape, np.float32)
    return np.clip(np.rint(frame), 0, 255).astype(np.uint8)


def _on_canvas(ink: Real, random: np.random.Generator) -> Real:
    """Scale a digit to a random height in the middle of an empty picture."""
    height = int(random.integers(_HEIGHTS[0], _HEIGHTS[1] + 1))
    width = max(4, round(height * ink.shape[1] / ink.shape[0] * random.uniform(0.9, 1.1)))
    scaled = cv2.resize(ink, (min(width, CLIP_SIZE), height), interpolation=cv2.INTER_LINEAR)
    canvas = np.zeros((CLIP_SIZE, CLIP_SIZE), np.float32)
    top, left = (CLIP_SIZE - scaled.shape[0]) // 2, (CLIP_SIZE - scaled.shape[1]) // 2
    canvas[top : top + scaled.shape[0], left : left + scaled.shape[1]] = scaled
    return canvas
