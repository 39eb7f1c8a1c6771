"""A result drawn over its image: boxes with their labels, masks in colours, classes as a caption.

What is drawn follows from the predictions alone (their schemas: models/contracts/), so that every
task's results can be shown by one call, also by those who only have the rows of a results file.
"""

import colorsys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import rle
from models.decode import Pixels, decode
from models.opencv import cv2
from models.record import Limits

Colour = tuple[int, int, int]

# Smaller pictures are enlarged by a whole number, so that a label is not larger than its object.
_LEAST_SIDE = 400
# But not a strip to something that no memory holds.
_MOST_PIXELS = 16_000_000
_MASK_SHARE = 0.5
_FONT = cv2.FONT_HERSHEY_SIMPLEX
# Steps of the golden angle around the circle of colours: neighbours in number differ much in hue.
_GOLDEN_ANGLE = 0.618034
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)


def draw(
    data: bytes, predictions: Sequence[Mapping[str, Any]], limits: Limits | None = None
) -> bytes:
    """Draw an item's predictions over its encoded image; returns a PNG file.

    The picture has the upright original's size, or a whole multiple of it if it is small. Raises
    InputError for an image that cannot be read.
    """
    pixels = decode(data, 3, limits or Limits())
    scale = _scale_of(pixels)
    canvas = np.ascontiguousarray(_enlarge(pixels, scale))
    # The least confident first: what the network is surer of lies on top.
    for each in reversed(predictions):
        if "mask" in each:
            _paint(canvas, _enlarge(rle.decode(each["mask"]), scale), colour_of(each["class_id"]))
    for each in reversed(predictions):
        if each.get("box") is not None:
            _outline(canvas, each, scale)
    _caption(canvas, [each for each in predictions if "class" in each and not each.get("box")])
    _, png = cv2.imencode(".png", cv2.cvtColor(canvas, cv2.COLOR_RGB2BGR))
    return bytes(png)


def draw_frame(pixels: Pixels, prediction: Mapping[str, Any], at_ms: int) -> Pixels:
    """Draw the segment that a video's frame, shown at `at_ms`, belongs to: uint8 RGB (H, W, 3).

    `prediction` is the one of the video. The picture has the frame's size, or a whole multiple of
    it if it is small; a frame that no segment holds stays bare.
    """
    canvas = np.array(_enlarge(pixels, _scale_of(pixels)))  # a copy: the frame stays as it was
    held = (each for each in prediction["segments"] if each["start_ms"] <= at_ms < each["end_ms"])
    _caption(canvas, list(held))
    return canvas


def colour_of(class_id: int) -> Colour:
    """Return a class's colour, red green blue: always the same, and unlike its neighbours'."""
    red, green, blue = colorsys.hsv_to_rgb(class_id * _GOLDEN_ANGLE % 1, 0.75, 1.0)
    return round(red * 255), round(green * 255), round(blue * 255)


def label_of(prediction: Mapping[str, Any]) -> str:
    """Say what was found and how surely: "dog 93 %"."""
    return f"{prediction['class']} {prediction['confidence']:.0%}".replace("%", " %")


def _scale_of(pixels: Pixels) -> int:
    """Say how many times larger a picture is drawn."""
    height, width = pixels.shape[:2]
    scale: int = max(1, -(-_LEAST_SIDE // min(height, width)))
    while scale > 1 and height * width * scale**2 > _MOST_PIXELS:
        scale -= 1
    return scale


def _enlarge(image: NDArray[Any], scale: int) -> NDArray[Any]:
    return image.repeat(scale, axis=0).repeat(scale, axis=1) if scale > 1 else image


def _paint(canvas: Pixels, mask: NDArray[np.bool_], colour: Colour) -> None:
    """Blend a colour into the mask's pixels."""
    blended = canvas[mask] * (1 - _MASK_SHARE) + np.asarray(colour) * _MASK_SHARE
    canvas[mask] = blended.astype(np.uint8)


def _outline(canvas: Pixels, prediction: Mapping[str, Any], scale: int) -> None:
    """Draw a box, and its label above it or, at the upper border, inside."""
    box, colour = prediction["box"], colour_of(prediction["class_id"])
    left, top = round(box["x"] * scale), round(box["y"] * scale)
    right = round((box["x"] + box["width"]) * scale)
    bottom = round((box["y"] + box["height"]) * scale)
    cv2.rectangle(canvas, (left, top), (right, bottom), colour, _thickness(canvas))
    _write(canvas, label_of(prediction), (left, top), colour)


def _caption(canvas: Pixels, predictions: Sequence[Mapping[str, Any]]) -> None:
    """List what has no place of its own in the upper left corner."""
    top = 0
    for each in predictions:
        top = _write(canvas, label_of(each), (0, top), colour_of(each["class_id"]), below=True)


def _write(
    canvas: Pixels, text: str, corner: tuple[int, int], colour: Colour, below: bool = False
) -> int:
    """Write on a filled ground above `corner` (x, y), or below; returns where its ground ends."""
    size = max(0.45, min(canvas.shape[:2]) / 1000)
    width, height = map(int, cv2.getTextSize(text, _FONT, size, 1)[0])
    margin = height // 3
    tall = height + 2 * margin
    x, y = corner
    x = max(0, min(x, canvas.shape[1] - width - 2 * margin))
    top = y if below or y < tall else y - tall
    cv2.rectangle(canvas, (x, top), (x + width + 2 * margin, top + tall), colour, cv2.FILLED)
    bright = 0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2] > 128
    foot = (x + margin, top + tall - margin)
    cv2.putText(canvas, text, foot, _FONT, size, _BLACK if bright else _WHITE, 1, cv2.LINE_AA)
    return top + tall


def _thickness(canvas: Pixels) -> int:
    shorter: int = min(canvas.shape[:2])
    return max(2, shorter // 300)
