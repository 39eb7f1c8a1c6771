"""Varying training images: turned, moved, enlarged, mirrored, brightened; never at serving.

All that moves pixels is one affine map a picture, so that pixels are interpolated once:

    x_source = A x,    A = flip · rotation(angle) · 1 / scale,   then moved by a shift

in coordinates from -1 to 1 (`torch.nn.functional.affine_grid`). What comes in from outside is
black. The frames of a video are varied all alike.
"""

from collections.abc import Collection

import torch
from torch import nn

_LARGEST_ANGLE = 0.17  # radians, about ten degrees
_LARGEST_SHIFT = 0.14  # of half a side: two pixels of 28
_SMALLEST_SCALE, _LARGEST_SCALE = 0.9, 1.15
_DARKEST, _BRIGHTEST = 0.8, 1.2


def augment(
    pictures: torch.Tensor, names: Collection[str], generator: torch.Generator
) -> torch.Tensor:
    """Vary float32 (B, C, H, W), or (B, T, C, H, W), in [0, 1]; gives the same shape and range.

    `names` are of `recipes.Augmentation`; none gives the pictures themselves. `generator`, on the
    CPU, decides: the same state gives the same pictures.
    """
    # Drawn whether it is used or not, so that choosing one kind changes nothing of the others.
    drawn = 2 * torch.rand(len(pictures), 6, generator=generator) - 1
    # To an affine map frames are so many channels more.
    varied = pictures.flatten(1, -3)
    if set(names) & {"flip", "shift", "rotate", "zoom"}:
        height, width = varied.shape[2:]
        maps = _affine_maps(drawn, names, height / width).to(varied.device)
        grid = nn.functional.affine_grid(maps, list(varied.shape), align_corners=False)
        varied = nn.functional.grid_sample(varied, grid, align_corners=False)
    if "brightness" in names:
        factors = _between(drawn[:, 5], _DARKEST, _BRIGHTEST).to(varied.device)
        varied = (varied * factors[:, None, None, None]).clamp(0, 1)
    return varied.reshape(pictures.shape)


def _affine_maps(drawn: torch.Tensor, names: Collection[str], aspect: float) -> torch.Tensor:
    """Make the maps (B, 2, 3) from numbers (B, 6) of -1 to 1; `aspect` is height over width."""
    still = torch.zeros(len(drawn))
    angle = drawn[:, 0] * _LARGEST_ANGLE if "rotate" in names else still
    zoomed = _between(drawn[:, 1], _SMALLEST_SCALE, _LARGEST_SCALE)
    scale = zoomed if "zoom" in names else still + 1
    right, down = (drawn[:, 2:4] * _LARGEST_SHIFT).unbind(1) if "shift" in names else (still, still)
    mirror = torch.where(drawn[:, 4] < 0, -1.0, 1.0) if "flip" in names else still + 1
    cos, sin = angle.cos() / scale, angle.sin() / scale
    rows = [mirror * cos, -mirror * sin * aspect, right, sin / aspect, cos, down]
    return torch.stack(rows, dim=1).reshape(-1, 2, 3)


def _between(drawn: torch.Tensor, low: float, high: float) -> torch.Tensor:
    return low + (drawn + 1) / 2 * (high - low)
