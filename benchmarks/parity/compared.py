"""What one network's answers are held against, by which measures and within which limits.

A row says how far our answers to a few pictures are from those of the network's own library at
worst. It counts only where the library's answers to two pictures are further apart than ten times
the limit: a network that hardly looks at its pictures would be the same whatever we did to them.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]

# Square, wide, high, a strip: what geometry gets wrong shows in one of them.
SHAPES = ((224, 224), (300, 411), (411, 300), (90, 500))

# Differences that may be: of confidences in float32, and of boxes, masks and vectors.
MOST_CONFIDENCE, LEAST_IOU, LEAST_COSINE = 1e-3, 0.99, 0.9999

_REACTS = 10.0


@dataclass(frozen=True, slots=True)
class Measure:
    """How far two answers are apart, or how alike they are; `limit` says how far, or how alike."""

    name: str
    limit: float
    of: Callable[[Any, Any], float]
    is_likeness: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One network by one measure.

    worst: of our answers and its library's, over all pictures. apart: of its library's answers to
    two pictures of one size.
    """

    source: str
    name: str
    task: str
    measure: Measure
    worst: float
    apart: float

    @property
    def reacts(self) -> bool:
        """Say whether the answers to two pictures differ by more than ten times the limit."""
        if self.measure.is_likeness:
            return 1 - self.apart > _REACTS * (1 - self.measure.limit)
        return self.apart > _REACTS * self.measure.limit

    @property
    def holds(self) -> bool:
        """Say whether our answers are within the limit, and mean something by it."""
        limit = self.measure.limit
        within = self.worst >= limit if self.measure.is_likeness else self.worst <= limit
        return within and self.reacts

    @property
    def verdict(self) -> str:
        """Say it in a word or two."""
        if self.holds:
            return "holds"
        return "FAILS" if self.reacts else "FAILS: it hardly reacts to pictures"


def compared(
    source: str,
    name: str,
    task: str,
    measures: Sequence[Measure],
    answers: Sequence[tuple[Any, Any]],
    two: tuple[Any, Any],
) -> Iterator[Row]:
    """Hold pairs of our answer and the library's against each other, by each measure.

    two: the library's answers to two pictures.
    """
    for measure in measures:
        values = [measure.of(ours, theirs) for ours, theirs in answers]
        worst = min(values) if measure.is_likeness else max(values)
        yield Row(source, name, task, measure, worst, measure.of(*two))


def refused(source: str, name: str, task: str, reason: object) -> Row:
    """Give the row of a network that we do not take, and print why."""
    print(f"{name} is refused: {reason}")
    return Row(source, name, task, Measure("refused", 0.0, largest_difference), 1.0, 1.0)


def pictures(shapes: Sequence[tuple[int, int]] = SHAPES) -> list[Pixels]:
    """Give uint8 RGB (h, w, 3), one a shape: soft blots, as photos are to a filter."""
    return [blots(height, width) for height, width in shapes]


def another(shape: tuple[int, int]) -> Pixels:
    """Give a second picture of a shape, which has nothing to do with the first one."""
    return blots(*shape, seed=1)


def blots(height: int, width: int, seed: int = 0) -> Pixels:
    """Give a picture, always the same one: uint8 RGB (height, width, 3)."""
    chance = np.random.default_rng((height, width, seed))
    rough = chance.integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(rough).resize((width, height), Image.Resampling.BICUBIC))


def png(pixels: Pixels) -> bytes:
    """Write a picture without a loss."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def largest_difference(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Give the largest difference of numbers; infinity where there are not as many."""
    if ours.shape != theirs.shape:
        return float("inf")
    return float((ours - theirs).abs().max()) if ours.numel() else 0.0


def cosine(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Give the cosine of the angle between two vectors (d,)."""
    return float(torch.cosine_similarity(ours.double(), theirs.double(), dim=0))


CONFIDENCE = Measure("confidence", MOST_CONFIDENCE, largest_difference)
COSINE = Measure("cosine", LEAST_COSINE, cosine, is_likeness=True)


def table(rows: Sequence[Row]) -> str:
    """Write the rows as Markdown."""
    lines = [
        "| source | network | task | measure | worst | limit | two pictures | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        verdict = row.verdict if row.holds else f"**{row.verdict}**"
        apart = f"{row.apart:.3g}" if isfinite(row.apart) else "other objects"
        figures = f"{row.measure.name} | {row.worst:.6g} | {row.measure.limit:g} | {apart}"
        lines.append(f"| {row.source} | {row.name} | {row.task} | {figures} | {verdict} |")
    return "\n".join(lines)


def worst_of_each(rows: Sequence[Row]) -> str:
    """Write the worst row of each source, task and measure as Markdown."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.source, row.task, row.measure.name), []).append(row)
    worst = [
        (min if group[0].measure.is_likeness else max)(group, key=lambda row: row.worst)
        for group in groups.values()
    ]
    return table(worst)
