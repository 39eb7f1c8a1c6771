"""Clips: a handwritten digit that walks over a cluttered grey ground, frame by frame.

Real handwriting on made grounds, as in scenes.py. A stream never ends: after some frames the digit
turns, or the film cuts to another digit on another ground. It never leaves the picture. A
stream of a training split shows only digits of that split, so that held-out streams hold
handwriting that no training has seen. The same seed gives the same stream.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.media.opencv import cv2
from models.pictures.data import Labels, Pixels
from models.pictures.scenes import Real, Split, inks_of, paint_ground

Point = NDArray[np.float64]  # down and to the right, in pixels

CLIP_SIZE = 64
CLIP_FRAMES = 16
DIRECTIONS = ("left", "right", "up", "down")
# To see that a digit moves, and where to, takes some frames: what is true after a frame is what was
# shown so many frames before it.
LATENCY = 5
# Down and to the right, for each direction.
_WAYS = np.array([(0, -1), (0, 1), (-1, 0), (1, 0)], np.float64)
_HEIGHTS = (16, 32)  # of a digit's ink, in pixels
_SPEEDS = (0.75, 3.0)  # pixels a frame
_SLANT = 0.25  # how far a way leads aside, at most, as a share of how far it leads ahead
_LEGS = (CLIP_FRAMES, 64)  # frames from one change to the next
_CUTS = 0.5  # the share of changes that are cuts; the others are turns


@dataclass(frozen=True)
class Film:
    """Frames of a stream and what is true after each; T frames.

    frames: uint8 (T, CLIP_SIZE, CLIP_SIZE), grey. digits: int64 (T,), 0 to 9. directions: int64
    (T,), positions in DIRECTIONS. centres: float64 (T, 2), of the digit in this very frame.
    """

    frames: Pixels
    digits: Labels
    directions: Labels
    centres: Point


@dataclass(frozen=True)
class _Shot:
    """What is seen between two cuts: a digit's ink, over a ground."""

    digit: int
    ink: Real
    ground: Real
    bright: float
    grain: float

    @property
    def room(self) -> Point:
        """The farthest place of the ink's upper left corner."""
        return CLIP_SIZE - np.array(self.ink.shape, np.float64)


@dataclass(frozen=True)
class _Leg:
    """A way that is gone for so many frames; speed: pixels a frame."""

    direction: int
    speed: Point
    frames: int


class Stream:
    """An endless film of one digit after the other."""

    def __init__(self, random: np.random.Generator, split: Split) -> None:
        """Begin with a digit of the split, somewhere, on its way somewhere."""
        self._random, self._split = random, split
        self._shot = _shot(random, split)
        self._place = random.uniform(0, self._shot.room)
        self._leg = _leg(random, self._shot.room, self._place)
        self._walked = 0
        self._shown = [(self._shot.digit, self._leg.direction)] * LATENCY

    def take(self, count: int) -> Film:
        """Give the next frames."""
        frames, centres = zip(*(self._next() for _ in range(count)), strict=True)
        true, self._shown = self._shown[:count], self._shown[count:]
        digits, directions = np.asarray(true, np.int64).T
        return Film(np.stack(frames), digits, directions, np.stack(centres))

    def _next(self) -> tuple[Pixels, Point]:
        """Give one frame and where its digit is, and walk on."""
        if self._walked == self._leg.frames:
            self._change()
        frame, corner = _paint(self._shot, self._place, self._random)
        self._shown.append((self._shot.digit, self._leg.direction))
        self._place = np.clip(self._place + self._leg.speed, 0, self._shot.room)
        self._walked += 1
        return frame, corner + np.array(self._shot.ink.shape) / 2

    def _change(self) -> None:
        """Turn, or cut to another digit somewhere else."""
        without = None
        if self._random.random() < _CUTS:
            self._shot = _shot(self._random, self._split)
            self._place = self._random.uniform(0, self._shot.room)
        else:
            without = self._leg.direction
        self._leg = _leg(self._random, self._shot.room, self._place, without)
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
    ink, ground = _scaled(inks[which], random), paint_ground(random, CLIP_SIZE)
    return _Shot(int(labels[which]), ink, ground, random.uniform(175, 255), random.uniform(2, 10))


def _scaled(ink: Real, random: np.random.Generator) -> Real:
    """Scale a digit to a random height; its shape varies by a fifth."""
    height = int(random.integers(_HEIGHTS[0], _HEIGHTS[1] + 1))
    width = max(4, round(height * ink.shape[1] / ink.shape[0] * random.uniform(0.9, 1.1)))
    size = (min(width, _HEIGHTS[1]), height)
    return np.asarray(cv2.resize(ink, size, interpolation=cv2.INTER_LINEAR), np.float32)


def _leg(
    random: np.random.Generator, room: Point, place: Point, without: int | None = None
) -> _Leg:
    """Choose one of the ways that lead on for a whole leg, but for one, a length and a speed."""
    ahead = np.where(_WAYS.sum(1) > 0, _WAYS @ (room - place), -_WAYS @ place)
    open_ways = np.flatnonzero(ahead >= _SPEEDS[0] * _LEGS[0])
    direction = int(random.choice(open_ways[open_ways != without]))
    longest = min(_LEGS[1], int(ahead[direction] / _SPEEDS[0]))
    frames = int(random.integers(_LEGS[0], longest + 1))
    speed = random.uniform(_SPEEDS[0], min(_SPEEDS[1], ahead[direction] / frames))
    aside = random.uniform(-_SLANT, _SLANT) * _WAYS[direction][::-1]
    return _Leg(direction, speed * (_WAYS[direction] + aside), frames)


def _paint(shot: _Shot, place: Point, random: np.random.Generator) -> tuple[Pixels, Point]:
    """Paint one frame; returns it and the upper left corner of the digit in it."""
    corner = np.rint(place)
    (top, left), (height, width) = corner.astype(int), shot.ink.shape
    grain = np.float32(shot.grain) * random.standard_normal(shot.ground.shape, np.float32)
    frame = shot.ground + grain
    under = frame[top : top + height, left : left + width]
    under += shot.ink * (np.float32(shot.bright) - under)
    return np.clip(np.rint(frame), 0, 255).astype(np.uint8), corner
