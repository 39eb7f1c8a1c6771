"""How good answers are, held against what is true: one item after the other, figures at the end.

    task              headline    measured as
    classification    accuracy    models.answers.scores.class_scores
    detection         map_50      models.answers.scores.box_scores
    segmentation      miou        models.answers.scores.pixel_scores

Truths are those of `models.contracts.truths`, answers those of `models.contracts`; classes are told
by name. Needs no torch. A new task is one class and one line in `SCORES`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from models.answers.scores.box_scores import BoxScores
from models.answers.scores.class_scores import ClassScores
from models.answers.scores.pixel_scores import PixelScores

Answer = Sequence[Mapping[str, Any]]
# (height, width) of the upright original, in pixels; None where nobody knows.
Size = tuple[int | None, int | None]


class Scores(Protocol):
    """What was counted so far."""

    # The figure that stands for all, and how they are told.
    headline: str
    measure: str

    def add(self, truth: Mapping[str, Any], answer: Answer, size: Size) -> None:
        """Count one item; raises TruthError where the truth cannot be held against the answer."""

    def figures(self) -> dict[str, float | None]:
        """Give the figures of all items; None where there was nothing to measure by."""

    def per_class(self) -> list[dict[str, Any]]:
        """Give each class's figures, in the order of the labels, of the classes that were seen."""

    def confusion(self) -> dict[str, Any] | None:
        """Give what was taken for what; None where that is not counted."""


SCORES: Mapping[str, Callable[[Sequence[str]], Scores]] = {
    "classification": ClassScores,
    "detection": BoxScores,
    "segmentation": PixelScores,
}
