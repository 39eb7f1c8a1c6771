"""How good classifications are: accuracy, precision, recall, and what was taken for what."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

# A table of more classes is no table that anybody reads, and takes megabytes.
_MOST_CLASSES = 100
_MOST_MISTAKES = 100


class ClassScores:
    """Counts pairs of true and found classes; found is the first class of an answer."""

    headline = "accuracy"
    measure = "the share of items whose first class is the true one"

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = tuple(dict.fromkeys(labels))
        self._pairs: Counter[tuple[str, str | None]] = Counter()

    def add(self, truth: Mapping[str, Any], answer: Sequence[Mapping[str, Any]], _: object) -> None:
        """Count one item."""
        self._pairs[truth["class"], str(answer[0]["class"]) if answer else None] += 1

    def figures(self) -> dict[str, float | None]:
        """Give the accuracy."""
        right = sum(count for (true, found), count in self._pairs.items() if true == found)
        return {"accuracy": _ratio(right, self._pairs.total())}

    def per_class(self) -> list[dict[str, Any]]:
        """Give each class's items (support), precision and recall."""
        support, claims, right = Counter[str](), Counter[str | None](), Counter[str]()
        for (true, found), count in self._pairs.items():
            support[true] += count
            claims[found] += count
            right[true] += count if true == found else 0
        return [
            {
                "class": name,
                "support": support[name],
                "precision": _ratio(right[name], claims[name]),
                "recall": _ratio(right[name], support[name]),
            }
            for name in self._seen()
        ]

    def confusion(self) -> dict[str, Any]:
        """Give the counts, a row a true class and a column a found one, and the mistakes.

        The table is None for more than 100 classes; mistakes are listed most frequent first.
        """
        names = self._seen()
        mistakes = Counter({pair: n for pair, n in self._pairs.items() if pair[0] != pair[1]})
        listed = mistakes.most_common(_MOST_MISTAKES)
        shown = names if len(names) <= _MOST_CLASSES else []
        return {
            "labels": shown or None,
            "counts": [[self._pairs[true, found] for found in shown] for true in shown] or None,
            "mistakes": [
                {"true": true, "found": found, "count": count} for (true, found), count in listed
            ],
            "mistakes_left_out": mistakes.total() - sum(count for _, count in listed),
        }

    def _seen(self) -> list[str]:
        seen = {name for pair in self._pairs for name in pair}
        return [name for name in self._labels if name in seen]


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
