"""A result drawn over its image: boxes with their labels, masks in colours, classes as a caption.

What is drawn follows from the predictions alone (their schemas: models/contracts/), so that every
task's results can be shown by one call, also by those who only have the rows of a results file.
"""

import colorsys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.answers import rle
from models.media.memory import Pixels
from models.media.opencv import cv2
from models.media.pictures import decode
from models.records.record import Limits

Colour = tuple[int, int, int]

# Smaller pictures are enlarged by a whole number, so that a label is not larger than its object.
_LEAST_SIDE = 400
# But not a strip to something that no memory holds.
_MOST_PIXELS = 16_000_000
# The longer side of an overlay that is kept: enough to judge a result by.
LONGEST_SIDE = 1280
# And that of one frame of a video, of which there are several in a picture.
FRAME_SIDE = 320
_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 85)
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
    pixels = decode(data, 3, limits or Limits()).pixels
    return _encoded(".png", _laid_over(pixels, predictions, _enlargement(pixels)))


def draw_jpeg(pixels: Pixels, predictions: Sequence[Mapping[str, Any]]) -> bytes:
    """Draw an item's predictions over its picture, uint8 RGB (h, w, 3); returns a JPEG file.

    As `draw`, but the longer side has at most LONGEST_SIDE pixels.
    """
    scale = min(_enlargement(pixels), LONGEST_SIDE / max(pixels.shape))
    return jpeg_of(_laid_over(pixels, predictions, scale))


def _enlargement(pixels: Pixels) -> int:
    """Return by how much a small picture is enlarged."""
    height, width = pixels.shape[:2]
    scale: int = max(1, -(-_LEAST_SIDE // min(height, width)))
    while scale > 1 and height * width * scale**2 > _MOST_PIXELS:
        scale -= 1
    return scale


def _laid_over(pixels: Pixels, predictions: Sequence[Mapping[str, Any]], scale: float) -> Pixels:
    canvas = np.ascontiguousarray(resized(pixels, scale))
    # The least confident first: what the network is surer of lies on top.
    for each in reversed(predictions):
        if "mask" in each:
            mask = resized(rle.decode(each["mask"]).astype(np.uint8), scale, cv2.INTER_NEAREST)
            _paint(canvas, mask > 0, colour_of(each["class_id"]))
    for each in reversed(predictions):
        if each.get("box") is not None:
            _outline(canvas, each, scale)
    _caption(canvas, [each for each in predictions if "class" in each and not each.get("box")])
    return canvas


def _encoded(kind: str, canvas: Pixels, options: Sequence[int] = ()) -> bytes:
    _, encoded = cv2.imencode(kind, cv2.cvtColor(canvas, cv2.COLOR_RGB2BGR), options)
    return bytes(encoded)


def draw_frame(pixels: Pixels, prediction: Mapping[str, Any], at_ms: int) -> Pixels:
    """Draw a video's frame with its time, and the segment that it belongs to: uint8 RGB (H, W, 3).

    `prediction` is the one of the video, `at_ms` when the frame is shown. The picture has the
    frame's size, or the largest whole multiple of it within FRAME_SIDE. Of a frame that no segment
    holds, only the time is told.
    """
    scale = max(1, FRAME_SIDE // max(pixels.shape[:2]))
    canvas = np.array(resized(pixels, scale))  # a copy: the frame stays as it was
    held = (each for each in prediction["segments"] if each["start_ms"] <= at_ms < each["end_ms"])
    _caption(canvas, list(held))
    _write(canvas, time_of(at_ms), (0, canvas.shape[0]), _BLACK)
    return canvas


def colour_of(class_id: int) -> Colour:
    """Return a class's colour, red green blue: always the same, and unlike its neighbours'."""
    red, green, blue = colorsys.hsv_to_rgb(class_id * _GOLDEN_ANGLE % 1, 0.75, 1.0)
    return round(red * 255), round(green * 255), round(blue * 255)


def label_of(prediction: Mapping[str, Any]) -> str:
    """Say what was found and how surely: "dog 93 %"."""
    return f"{prediction['class']} {prediction['confidence']:.0%}".replace("%", " %")


def time_of(at_ms: int) -> str:
    """Say when in a video: "2:05.040", or "1:02:05.040" after an hour."""
    minutes, rest_ms = divmod(at_ms, 60_000)
    hours, minutes_past = divmod(minutes, 60)
    clock = f"{hours}:{minutes_past:02}" if hours else f"{minutes}"
    return f"{clock}:{rest_ms / 1000:06.3f}"


def jpeg_of(canvas: Pixels) -> bytes:
    """Encode a picture, uint8 RGB (h, w, 3), as a JPEG file."""
    return _encoded(".jpg", canvas, _JPEG)


def resized(image: Pixels, scale: float, way: int = cv2.INTER_AREA) -> Pixels:
    """Scale a picture; what is enlarged shows its pixels."""
    if scale == 1:
        return image
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    resized = cv2.resize(
        image, (width, height), interpolation=cv2.INTER_NEAREST if scale > 1 else way
    )
    return resized.view(np.uint8)


def _paint(canvas: Pixels, mask: NDArray[np.bool_], colour: Colour) -> None:
    """Blend a colour into the mask's pixels."""
    blended = canvas[mask] * (1 - _MASK_SHARE) + np.asarray(colour) * _MASK_SHARE
    canvas[mask] = blended.astype(np.uint8)


def _outline(canvas: Pixels, prediction: Mapping[str, Any], scale: float) -> None:
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
