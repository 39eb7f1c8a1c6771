"""Rectangles of predictions, in pixels of the upright original: left, top, width, height."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from models.answers import rle


class Rectangle(NamedTuple):
    """A rectangle; the origin is the picture's top left corner."""

    x: float
    y: float
    width: float
    height: float


def rectangle_of(prediction: Mapping[str, Any]) -> Rectangle:
    """Give the box of an object; of a mask that has none the smallest rectangle around it."""
    box = prediction.get("box")
    if box is None:
        return Rectangle(*rle.extent(prediction["mask"]))
    return Rectangle(box["x"], box["y"], box["width"], box["height"])


def inside(box: Rectangle, width: int, height: int) -> Rectangle | None:
    """Give the part of a box that lies in a picture of a size; None where that has no area."""
    left, top = max(0.0, box.x), max(0.0, box.y)
    right, bottom = min(width, box.x + box.width), min(height, box.y + box.height)
    if right <= left or bottom <= top:
        return None
    return Rectangle(left, top, right - left, bottom - top)
