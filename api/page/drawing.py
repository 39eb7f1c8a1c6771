"""Results as pages draw them: boxes and masks over a picture, lanes of films, answers in words."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from api.page.gallery.lanes import Lanes, lanes_of
from api.page.gallery.masks import MaskShape, mask_shape
from jobs.results.segments import Row

# As many as tell each other apart on a screen.
_COLOURS = 8
_MOST_SHAPES = 300
_MOST_LABELS = 3


class Detail(NamedTuple):
    """How closely masks are looked at: at `grid` places across and down, so many of an item."""

    grid: int
    masks: int


# A table draws none.
WORDS_ALONE, SMALL, LARGE = Detail(1, 0), Detail(48, 4), Detail(160, 40)


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
    masks: list[MaskShape]
    film: Lanes | None
    more: int
    # How many stretches of a film have a class of their own; null for what is no film.
    stretches: int | None

    @property
    def first(self) -> list[Answer]:
        """The answers that a line has room for: of a film what it shows as a whole."""
        return self.answers[: _MOST_LABELS if self.stretches is None else 1]


def shown(row: Row, detail: Detail = WORDS_ALONE) -> Shown:
    """Read a result for a page."""
    predictions = row.predictions or []
    answers = [answer for each in predictions for answer in _answers(each)]
    shapes = [shape for each in predictions if (shape := _shape(each)) is not None]
    masked = [each for each in predictions if isinstance(each.get("mask"), dict)][: detail.masks]
    masks = [mask for each in masked if (mask := _mask(each, detail)) is not None]
    film = lanes_of(predictions[0], row.duration_ms, _COLOURS) if predictions else None
    stretches = len(predictions[0]["segments"]) if _is_film(predictions) else None
    more = max(0, len(answers) - _MOST_LABELS) if stretches is None else 0
    return Shown(row, answers, shapes[:_MOST_SHAPES], masks, film, more, stretches)


def _is_film(predictions: list[dict[str, Any]]) -> bool:
    return bool(predictions) and isinstance(predictions[0].get("segments"), list)


def _mask(prediction: dict[str, Any], detail: Detail) -> MaskShape | None:
    colour = int(prediction.get("class_id") or 0) % _COLOURS
    return mask_shape(prediction["mask"], colour, detail.grid)


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
