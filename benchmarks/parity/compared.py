"""What one network's answers are held against, and within which limits."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]

# Square, wide, high, a strip: what geometry gets wrong shows in one of them.
SHAPES = ((224, 224), (300, 411), (411, 300), (90, 500))

# Differences that may be: of confidences in float32, and of boxes, masks and vectors.
MOST_CONFIDENCE, LEAST_IOU, LEAST_COSINE = 1e-3, 0.99, 0.9999


@dataclass(frozen=True, slots=True)
class Row:
    """One network's worst difference; `measure` says of what, `limit` how far it may go."""

    source: str
    name: str
    task: str
    measure: str
    worst: float
    limit: float

    @property
    def holds(self) -> bool:
        """Say whether the difference is within the limit: IoU and cosine are to be large."""
        is_likeness = self.measure in ("IoU", "cosine")
        return self.worst >= self.limit if is_likeness else self.worst <= self.limit


def pictures() -> list[tuple[Pixels, bytes]]:
    """Give uint8 RGB (h, w, 3) and its PNG, one a shape: soft blots, as photos are to a filter."""
    made = []
    for height, width in SHAPES:
        rough = np.random.default_rng(height * width).integers(0, 256, (9, 12, 3), dtype=np.uint8)
        image = Image.fromarray(rough).resize((width, height), Image.Resampling.BICUBIC)
        file = io.BytesIO()
        image.save(file, "PNG")
        made.append((np.asarray(image), file.getvalue()))
    return made


def confidence_apart(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Give the largest difference of confidences between logits (1, labels).

    What an untrained network says of a thousand classes is a thousandth of each: logits are
    stretched to the spread of a trained one first, so that a difference shows.
    """
    stretch = 3.0 / expected.std().clamp(min=1e-30)
    return float(((found * stretch).softmax(1) - (expected * stretch).softmax(1)).abs().max())


def table(rows: Sequence[Row]) -> str:
    """Write the rows as Markdown."""
    lines = [
        "| source | network | task | measure | worst | limit | |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        verdict = "holds" if row.holds else "**FAILS**"
        figures = f"{row.measure} | {row.worst:.6g} | {row.limit:g} | {verdict}"
        lines.append(f"| {row.source} | {row.name} | {row.task} | {figures} |")
    return "\n".join(lines)
