"""The curves of a training as lines of SVG: no script draws them, and no style stands in them."""

from collections.abc import Sequence
from typing import NamedTuple

from api.trainings.schemas import Epoch

# The field in which a curve is drawn, in units of the picture.
WIDTH, HEIGHT = 320, 120


class Line(NamedTuple):
    """One curve: `points` as SVG has them, and its last value."""

    name: str
    points: str
    last: float


class Curves(NamedTuple):
    """Curves over the same epochs in one field, whose lower and upper edge are `least`, `most`."""

    title: str
    least: float
    most: float
    epochs: int
    lines: list[Line]


def curves_of(history: Sequence[Epoch]) -> list[Curves]:
    """Give the loss and the accuracy over the epochs; nothing before the first has ended."""
    if not history:
        return []
    loss = [
        ("learning", [each.training_loss for each in history]),
        ("held out", [each.validation_loss for each in history]),
    ]
    accuracy = [
        ("learning", [each.training_accuracy for each in history]),
        ("held out", [each.validation_accuracy for each in history]),
    ]
    most = max(max(values) for _, values in loss)
    return [
        _curves("Loss", loss, 0.0, most or 1.0),
        _curves("Accuracy", accuracy, min(min(values) for _, values in accuracy), 1.0),
    ]


def _curves(
    title: str, told: Sequence[tuple[str, Sequence[float]]], least: float, most: float
) -> Curves:
    span = (most - least) or 1.0
    lines = [
        Line(name, _points([(value - least) / span for value in values]), values[-1])
        for name, values in told
    ]
    return Curves(title, least, most, len(told[0][1]), lines)


def _points(shares: Sequence[float]) -> str:
    """Place shares of the height, one an epoch, from left to right; one alone is a dot's width."""
    step = WIDTH / max(len(shares) - 1, 1)
    places = [(number * step, HEIGHT * (1 - share)) for number, share in enumerate(shares)]
    if len(places) == 1:
        places.append((WIDTH, places[0][1]))
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
