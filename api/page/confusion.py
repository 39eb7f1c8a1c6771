"""What a comparison says of classes, as a table of rows and columns while it is small enough."""

from collections.abc import Sequence
from typing import NamedTuple

from api.results.comparisons import ClassPair

_MOST_CLASSES = 20
# Of an item whose answer names no class.
NO_CLASS = "no class"


class Matrix(NamedTuple):
    """A row is a class before, a column one after; `rows` has each with its counts in order."""

    labels: list[str]
    rows: list[tuple[str, list[int]]]


def matrix_of(pairs: Sequence[ClassPair]) -> Matrix | None:
    """Lay out pairs of classes; None where there are none, or too many for a screen."""
    counts = {(each.before or NO_CLASS, each.after or NO_CLASS): each.count for each in pairs}
    labels = sorted({label for pair in counts for label in pair})
    if not labels or len(labels) > _MOST_CLASSES:
        return None
    rows = [(before, [counts.get((before, after), 0) for after in labels]) for before in labels]
    return Matrix(labels, rows)
