"""Layers enlarged bilinearly, any part of them alone: so that no more is held than is looked at.

The numbers are those of torch's `interpolate(mode="bilinear", align_corners=False)`.
"""

from dataclasses import dataclass
from typing import Self

import torch

# (height, width) in pixels.
Size = tuple[int, int]
# (top, left, bottom, right) in pixels, the last two exclusive.
Part = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Window:
    """Where in a layer (h, w) the picture lies, in places of the layer; both ends may be broken."""

    top: float
    left: float
    height: float
    width: float


@dataclass(frozen=True, slots=True)
class Axis:
    """Which places of a layer's side each pixel of the enlarged side lies between.

    before, after: int64 (n,), places. share: float32 (n,), how far each pixel is on the way from
    the one to the other.
    """

    before: torch.Tensor
    after: torch.Tensor
    share: torch.Tensor

    @classmethod
    def of(cls, given: int, wanted: int, start: float = 0.0, length: float | None = None) -> Self:
        """Enlarge `length` of `given` places, from `start` on, to `wanted` pixels.

        Without a length, all of them. Pixels beyond the middle of the first and the last place are
        those places'.
        """
        step = (given if length is None else length) / wanted
        places = (torch.arange(wanted, dtype=torch.float64) + 0.5) * step + (start - 0.5)
        places = places.clamp(0, given - 1)
        before = places.long()
        return cls(before, (before + 1).clamp(max=given - 1), (places - before).float())

    def part(self, start: int, stop: int) -> tuple[slice, "Axis"]:
        """Give the places that pixels `start` to `stop` need, and their axis over these alone."""
        before, after = self.before[start:stop], self.after[start:stop]
        first, last = int(before[0]), int(after[-1])
        return slice(first, last + 1), Axis(before - first, after - first, self.share[start:stop])


def enlarged(layers: torch.Tensor, rows: Axis, columns: Axis) -> torch.Tensor:
    """Enlarge float32 (..., h, w) along both axes: (..., pixels of rows, pixels of columns).

    First along the lines, of which there are few yet, then line by line.
    """
    before, after = (layers.index_select(-1, each) for each in (columns.before, columns.after))
    wide = before.lerp(after, columns.share)
    before, after = (wide.index_select(-2, each) for each in (rows.before, rows.after))
    return before.lerp(after, rows.share[:, None])


def enlarged_part(layer: torch.Tensor, size: Size, part: Part) -> torch.Tensor:
    """Give one part of (h, w) enlarged to `size`, and nothing of the rest: float32."""
    top, left, bottom, right = part
    lines, rows = Axis.of(layer.shape[0], size[0]).part(top, bottom)
    across, columns = Axis.of(layer.shape[1], size[1]).part(left, right)
    return enlarged(layer[lines, across], rows, columns)
