"""Outputs as networks give them: crowds of overlapping objects, made up and always the same."""

import torch

# Not square, so that height and width cannot be mistaken for each other.
SIZE = (64, 96)
CELLS = 8 * 12 + 4 * 6 + 2 * 3


def crowd(seed, rows, classes, size=SIZE):
    """Give boxes cx cy w h (rows, 4) in pixels around a few places, and scores (rows, classes)."""
    chance = torch.Generator().manual_seed(seed)
    middles = torch.rand(6, 2, generator=chance)[torch.randint(6, (rows,), generator=chance)]
    places = middles + torch.randn(rows, 2, generator=chance) * 0.03
    sides = 0.2 + torch.rand(rows, 2, generator=chance) * 0.1
    scale = torch.tensor([size[1], size[0]] * 2)
    scores = torch.rand(rows, classes, generator=chance) ** 3
    return torch.cat((places, sides), 1) * scale, scores


def batch(make, count=3):
    """Stack what `make` gives for each seed."""
    return torch.stack([make(seed) for seed in range(count)])


def yolo(seed, classes=4):
    boxes, scores = crowd(seed, CELLS, classes)
    return torch.cat((boxes, scores), 1).T


def yolo_anchors(seed, classes=4, rows=3 * CELLS):
    boxes, scores = crowd(seed, rows, classes)
    chance = torch.Generator().manual_seed(seed + 100)
    return torch.cat((boxes, torch.rand(rows, 1, generator=chance), scores**0.3), 1)


def yolox(seed, classes=4):
    chance = torch.Generator().manual_seed(seed)
    raw = torch.rand(CELLS, 5 + classes, generator=chance)
    raw[:, :2] = raw[:, :2] * 2 - 0.5
    raw[:, 2:4] = raw[:, 2:4] * 2
    return raw


def rows_of(found):
    """Give what a head found of one picture as graphs.objects does."""
    columns = found["labels"].tolist(), found["scores"].tolist(), found["boxes"].tolist()
    rows = [(label, score, *box) for label, score, box in zip(*columns, strict=True)]
    return sorted(rows, key=lambda row: -row[1])


def clipped(rows, size=SIZE):
    """Clip a graph's objects to the input, as heads do once they have chosen."""
    sides = (*size[::-1], *size[::-1])
    return [
        (label, score, *(min(max(x, 0), most) for x, most in zip(box, sides, strict=True)))
        for label, score, *box in rows
    ]
