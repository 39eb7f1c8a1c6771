"""How far a training is: plain numbers, that travel as JSON and continue it elsewhere."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

# More would make each answer that shows them large; the figures of the record stay.
MOST_SHOWN_CLASSES = 100
MOST_SHOWN_FILES = 20


@dataclass
class Sums:
    """What one pass over images has added up to."""

    loss: float = 0.0
    right: int = 0
    seen: int = 0

    def add(self, loss: float, right: int, seen: int) -> None:
        """Count one batch with its mean loss."""
        self.loss += loss * seen
        self.right += right
        self.seen += seen

    @property
    def mean_loss(self) -> float:
        """The loss of an image."""
        return self.loss / max(self.seen, 1)

    @property
    def accuracy(self) -> float:
        """The share that was told right."""
        return self.right / max(self.seen, 1)


@dataclass
class Progress:
    """Where a training stands.

    `epoch` counts finished epochs, `position` the batches of the next one that are done: first
    those to learn from, then those held out. `counts` are (true class, found class) of the held out
    so far, `confusion` those of the best epoch. `skipped` says of rows that cannot be used why.
    """

    epoch: int = 0
    position: int = 0
    is_over: bool = False
    learned: Sums = field(default_factory=Sums)
    measured: Sums = field(default_factory=Sums)
    counts: list[list[int]] = field(default_factory=list)
    confusion: list[list[int]] = field(default_factory=list)
    best_epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    skipped: dict[int, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """Write all of it; numbers come back to the last bit."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Progress":
        """Read what `to_json` wrote."""
        plain: dict[str, Any] = json.loads(text)
        plain |= {name: Sums(**plain[name]) for name in ("learned", "measured")}
        plain["skipped"] = {int(row): why for row, why in plain["skipped"].items()}
        return cls(**plain)

    @property
    def best(self) -> dict[str, float]:
        """The figures of the best epoch; empty before the first has ended."""
        return self.history[self.best_epoch - 1] if self.best_epoch else {}

    def close_epoch(self, learning_rate: float) -> bool:
        """Enter the epoch into the history and begin the next; True when it is the best so far."""
        self.epoch += 1
        figures = {
            "epoch": self.epoch,
            "training_loss": self.learned.mean_loss,
            "training_accuracy": self.learned.accuracy,
            "validation_loss": self.measured.mean_loss,
            "validation_accuracy": self.measured.accuracy,
            "learning_rate": learning_rate,
        }
        is_best = not self.best_epoch or _rank(figures) > _rank(self.best)
        self.history.append(figures)
        if is_best:
            self.best_epoch, self.confusion = self.epoch, self.counts
        self.position, self.learned, self.measured, self.counts = 0, Sums(), Sums(), []
        return is_best


def count_pairs(counts: list[list[int]], truth: Sequence[int], found: Sequence[int]) -> None:
    """Add (true class, found class) pairs to counts."""
    for true, guess in zip(truth, found, strict=True):
        counts[true][guess] += 1


def _rank(figures: dict[str, float]) -> tuple[float, float]:
    return figures["validation_accuracy"], -figures["validation_loss"]
