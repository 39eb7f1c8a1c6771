"""Masks of objects that speak of the whole sample, each made when it is asked for.

Networks give them in forms that are far smaller than a float a pixel: a hundred objects of a sample
of 640 x 640 pixels would take 160 MB. All tensors are on the CPU.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch.nn import functional as nn

from models.answers.enlarging import Part, Size


class WholeMasks(Protocol):
    """Masks of the objects of one sample, in the order of its boxes."""

    def chances(self, row: int) -> torch.Tensor:
        """Give the chance of each of the sample's pixels to be the object's: float32 (h, w)."""


@dataclass(frozen=True, slots=True)
class PlainMasks:
    """Masks that the network gave pixel by pixel: uint8 (n, h, w), 255 for a chance of 1."""

    shares: torch.Tensor

    def chances(self, row: int) -> torch.Tensor:
        """Give one object's: float32 (h, w)."""
        return self.shares[row].float() / 255


@dataclass(frozen=True, slots=True)
class PrototypeMasks:
    """Masks that are mixed from prototypes, as YOLACT proposed and Ultralytics makes them.

    coefficients: float32 (n, k), how much of each prototype. prototypes: float32 (k, mh, mw), over
    the whole sample. boxes: float32 (n, 4), x1 y1 x2 y2 in pixels of the sample, outside of which
    nothing is the object's. size: the sample's.
    """

    coefficients: torch.Tensor
    prototypes: torch.Tensor
    boxes: torch.Tensor
    size: Size

    def chances(self, row: int) -> torch.Tensor:
        """Mix one object's, cut it off by its box, and enlarge it to the sample: float32 (h, w)."""
        count, height, width = self.prototypes.shape
        mixed = (self.coefficients[row] @ self.prototypes.reshape(count, -1)).sigmoid()
        scale = torch.tensor([width / self.size[1], height / self.size[0]]).repeat(2)
        left, top, right, bottom = (self.boxes[row] * scale).tolist()
        down, across = torch.arange(height)[:, None], torch.arange(width)
        inside = (down >= top) & (down < bottom) & (across >= left) & (across < right)
        cut = mixed.reshape(height, width) * inside
        return nn.interpolate(cut[None, None], self.size, mode="bilinear")[0, 0]


def used_part(chances: torch.Tensor) -> Part | None:
    """Say which part of (h, w) has any chance at all, and a pixel around it; None for no part."""
    rows, columns = (chances > 0).any(1).nonzero(), (chances > 0).any(0).nonzero()
    if not len(rows):
        return None
    height, width = chances.shape
    top, left = max(int(rows[0]) - 1, 0), max(int(columns[0]) - 1, 0)
    return top, left, min(int(rows[-1]) + 2, height), min(int(columns[-1]) + 2, width)
