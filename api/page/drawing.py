"""Results as pages draw them: boxes to lay over a picture, and answers in a few words."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from jobs.results.segments import Row

# As many as tell each other apart on a screen.
_COLOURS = 8
_MOST_SHAPES = 300
_MOST_LABELS = 3


class Shape(NamedTuple):
    """A box in pixels of the upright original; `colour` is the number of a class of the style."""

    label: str
    confidence: float
    x: float
    y: float
    width: float
    height: float
    colour: int


class Answer(NamedTuple):
    """One prediction in words; null confidence where it has none. Times in ms, of films."""

    label: str
    confidence: float | None
    start_ms: int | None = None
    end_ms: int | None = None


class Shown(NamedTuple):
    """An item's result as a page shows it."""

    row: Row
    answers: list[Answer]
    shapes: list[Shape]
    more: int

    @property
    def first(self) -> list[Answer]:
        """The answers that a line has room for."""
        return self.answers[:_MOST_LABELS]


def shown(row: Row) -> Shown:
    """Read a result for a page."""
    predictions = row.predictions or []
    answers = [answer for each in predictions for answer in _answers(each)]
    shapes = [shape for each in predictions if (shape := _shape(each)) is not None]
    return Shown(row, answers, shapes[:_MOST_SHAPES], max(0, len(answers) - _MOST_LABELS))


def _answers(prediction: dict[str, Any]) -> Iterable[Answer]:
    if "embedding" in prediction:
        return [Answer(f"{len(prediction['embedding'])} numbers", None)]
    # Of a film: what it shows as a whole, then its stretches.
    return [_answer(prediction), *map(_answer, prediction.get("segments", ()))]


def _answer(prediction: dict[str, Any]) -> Answer:
    return Answer(
        str(prediction.get("class", "–")),
        prediction.get("confidence"),
        prediction.get("start_ms"),
        prediction.get("end_ms"),
    )


def _shape(prediction: dict[str, Any]) -> Shape | None:
    box = prediction.get("box")
    if not isinstance(box, dict):
        return None
    return Shape(
        str(prediction.get("class", "")),
        float(prediction.get("confidence") or 0),
        float(box["x"]),
        float(box["y"]),
        float(box["width"]),
        float(box["height"]),
        int(prediction.get("class_id") or 0) % _COLOURS,
    )
