"""What a film shows, along its length: a lane for each class, with the stretches that have it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

# More would be higher than a screen.
_MOST_LANES = 12
_MOST_STRETCHES = 2000
_TICKS = 4


class Stretch(NamedTuple):
    """A part of a film, in ms, and how surely it shows the class."""

    start_ms: int
    length_ms: int
    confidence: float | None


class Lane(NamedTuple):
    """A class and its stretches; `colour` is the number of a class of the style."""

    label: str
    colour: int
    stretches: list[Stretch]


class Lanes(NamedTuple):
    """The lanes of a film of `length_ms`, and where its time is written below them."""

    length_ms: int
    lanes: list[Lane]
    ticks_ms: list[int]
    more: int


def lanes_of(prediction: Mapping[str, Any], duration_ms: int | None, colours: int) -> Lanes | None:
    """Give a film's lanes in the order in which they begin; None for what is no film's answer."""
    segments = list(prediction.get("segments", ()))[:_MOST_STRETCHES]
    length_ms = max([duration_ms or 0, *(int(each["end_ms"]) for each in segments)])
    if "segments" not in prediction or not length_ms:
        return None
    lanes: dict[str, Lane] = {}
    for each in segments:
        label = str(each.get("class", "–"))
        colour = int(each.get("class_id") or 0) % colours
        start_ms = int(each["start_ms"])
        stretch = Stretch(start_ms, int(each["end_ms"]) - start_ms, each.get("confidence"))
        lanes.setdefault(label, Lane(label, colour, [])).stretches.append(stretch)
    shown = list(lanes.values())[:_MOST_LANES]
    ticks = [length_ms * number // _TICKS for number in range(_TICKS + 1)]
    return Lanes(length_ms, shown, ticks, len(lanes) - len(shown))
