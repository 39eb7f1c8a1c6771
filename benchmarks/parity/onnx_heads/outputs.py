"""Outputs as networks give them: crowds of overlapping objects, made up and always the same."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

# (height, width) in pixels.
Size = tuple[int, int]
# (class, score, x1, y1, x2, y2)
Found = tuple[float, ...]

# Not square, so that height and width cannot be mistaken for each other.
SIZE: Size = (64, 96)


def cells_of(size: Size) -> int:
    """Count the cells of the usual grids over an input."""
    return sum((size[0] // stride) * (size[1] // stride) for stride in (8, 16, 32))


CELLS = cells_of(SIZE)


def crowd(
    seed: int, rows: int, classes: int, size: Size = SIZE
) -> tuple[torch.Tensor, torch.Tensor]:
    """Give boxes cx cy w h (rows, 4) in pixels around a few places, and scores (rows, classes)."""
    chance = torch.Generator().manual_seed(seed)
    middles = torch.rand(6, 2, generator=chance)[torch.randint(6, (rows,), generator=chance)]
    places = middles + torch.randn(rows, 2, generator=chance) * 0.03
    sides = 0.2 + torch.rand(rows, 2, generator=chance) * 0.1
    scale = torch.tensor([size[1], size[0]] * 2)
    scores = torch.rand(rows, classes, generator=chance) ** 3
    return torch.cat((places, sides), 1) * scale, scores


def batch(make: Callable[[int], torch.Tensor], count: int = 3) -> torch.Tensor:
    """Stack what `make` gives for each seed."""
    return torch.stack([make(seed) for seed in range(count)])


def yolo(seed: int, classes: int = 4, size: Size = SIZE) -> torch.Tensor:
    """Give one picture's (4 + classes, cells)."""
    boxes, scores = crowd(seed, cells_of(size), classes, size)
    return torch.cat((boxes, scores), 1).T


def yolo_anchors(
    seed: int, classes: int = 4, rows: int | None = None, size: Size = SIZE
) -> torch.Tensor:
    """Give one picture's (rows, 5 + classes); three rows a cell unless told."""
    rows = 3 * cells_of(size) if rows is None else rows
    boxes, scores = crowd(seed, rows, classes, size)
    chance = torch.Generator().manual_seed(seed + 100)
    return torch.cat((boxes, torch.rand(rows, 1, generator=chance), scores**0.3), 1)


def yolox(seed: int, classes: int = 4, size: Size = SIZE) -> torch.Tensor:
    """Give one picture's (cells, 5 + classes), places in cells and sides as logarithms."""
    chance = torch.Generator().manual_seed(seed)
    raw = torch.rand(cells_of(size), 5 + classes, generator=chance)
    raw[:, :2] = raw[:, :2] * 2 - 0.5
    raw[:, 2:4] = raw[:, 2:4] * 2
    return raw


def ssd(count: int = 3, size: Size = SIZE) -> tuple[torch.Tensor, torch.Tensor]:
    """Give boxes (count, 150, 4) x1 y1 x2 y2 as shares, and scores (count, 150, 1 + 4)."""
    pairs = [crowd(seed, 150, 5, size) for seed in range(count)]
    middles = torch.stack([boxes for boxes, _ in pairs]) / torch.tensor([size[1], size[0]] * 2)
    x, y, width, height = middles.unbind(-1)
    corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return torch.stack(corners, -1), torch.stack([scores for _, scores in pairs])


def queries(columns: int, count: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    """Give logits (count, 40, columns) and boxes (count, 40, 4) cx cy w h as shares."""
    chance = torch.Generator().manual_seed(columns)
    logits = torch.randn(count, 40, columns, generator=chance) * 2
    middles = torch.rand(count, 40, 2, generator=chance)
    sides = torch.rand(count, 40, 2, generator=chance) * 0.4
    return logits, torch.cat((middles, sides), -1)


def raw_masks(
    seed: int, classes: int = 4, prototypes: int = 8, size: Size = SIZE
) -> tuple[torch.Tensor, torch.Tensor]:
    """Give one picture's (4 + classes + k, cells) and its prototypes (k, h / 4, w / 4) of noise."""
    chance = torch.Generator().manual_seed(seed)
    cells = cells_of(size)
    boxes, scores = crowd(seed, cells, classes, size)
    mixture = torch.randn(cells, prototypes, generator=chance)
    layers = torch.randn(prototypes, size[0] // 4, size[1] // 4, generator=chance)
    return torch.cat((boxes, scores, mixture), 1).T, layers


def smooth_masks(seed: int, size: Size = SIZE) -> tuple[torch.Tensor, torch.Tensor]:
    """Give the same, prototypes as smooth as networks make them: so that a mask has a shape."""
    raw, _ = raw_masks(seed, size=size)
    down, across = torch.meshgrid(
        torch.linspace(0, 6, size[0] // 4), torch.linspace(0, 9, size[1] // 4), indexing="ij"
    )
    waves = [(down * (1 + i % 3) * 0.5 + across * (1 + i // 3) * 0.4 + i).sin() for i in range(8)]
    return raw, torch.stack(waves)


def layers(seed: int, classes: int, height: int, width: int) -> torch.Tensor:
    """Give smooth logits (classes, height, width)."""
    chance = torch.Generator().manual_seed(seed)
    rough = torch.randn(1, classes, height // 3, width // 3, generator=chance) * 3
    return torch.nn.functional.interpolate(rough, (height, width), mode="bicubic")[0]


def rows_of(found: Mapping[str, Any]) -> list[Found]:
    """Give what a head found of one picture as graphs.objects does."""
    columns = found["labels"].tolist(), found["scores"].tolist(), found["boxes"].tolist()
    rows = [(label, score, *box) for label, score, box in zip(*columns, strict=True)]
    return sorted(rows, key=lambda row: -row[1])


def clipped(rows: Sequence[Found], size: Size = SIZE) -> list[Found]:
    """Clip a graph's objects to the input, as heads do once they have chosen."""
    sides = (*size[::-1], *size[::-1])
    return [
        (label, score, *(min(max(x, 0), most) for x, most in zip(box, sides, strict=True)))
        for label, score, *box in rows
    ]
