"""Digits in a scene: a small anchor-free detector, each object one point on a grid.

The grid has a cell for every 4 x 4 pixels. Each cell gives one score a class, "the centre of such
an object lies here", and the distances from the cell's centre to the four sides of its box.

Training. The target of class c at cell p is Y = max over objects of exp(-d^2 / 2 s^2), with d the
distance to the object's centre and s a sixth of the box's side, each axis for itself; exactly 1 at
the object's own cell. Over all cells, with P = sigmoid(score) and N objects (CenterNet, eq. 1):

    L_heat = -1/N sum { (1 - P)^2 log P            where Y = 1
                      { (1 - Y)^4 P^2 log(1 - P)   elsewhere

Boxes learn from the cells near a centre, each weighted by its Y (TTFNet, section 4), by
generalised intersection over union, where C is the smallest box around both A and B:

    GIoU = |A and B| / |A or B| - |C without (A or B)| / |C|
    L_box = weighted mean of 1 - GIoU

Reading. A cell that is the largest of its 3 x 3 neighbours in a class is an object of that class.

Sources: Zhou, Wang, Kraehenbuehl "Objects as Points" (CenterNet, 2019); Liu et al. "Training-Time-
Friendly Network for Real-Time Object Detection" (TTFNet, 2020); Tian et al. "FCOS" (2019) for the
four distances; Rezatofighi et al. "Generalized Intersection over Union" (2019).
"""

from dataclasses import dataclass

import torch
from torch import nn
from torchvision.ops import batched_nms, generalized_box_iou_loss

STRIDE = 4
_CHANNELS = 64
_MOST_OBJECTS = 100
_LEAST_SCORE = 0.05
_SAME_OBJECT_IOU = 0.5
_LEARNING_WEIGHT = 0.1  # cells whose target is below it teach no box


@dataclass(frozen=True)
class Truth:
    """What the cells of a batch should say; G is the grid's side, B the batch.

    heat: float32 (B, classes, G, G). boxes: float32 (B, 4, G, G), x1 y1 x2 y2 in pixels of the
    nearest object. weight: float32 (B, G, G), how much a cell teaches of its box.
    """

    heat: torch.Tensor
    boxes: torch.Tensor
    weight: torch.Tensor


def _block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class ScenesDetector(nn.Module):
    """Grey scenes to boxes. B is the batch size, G the grid's side (a quarter of the picture's)."""

    def __init__(self, classes: int) -> None:
        """Build the layers, untrained."""
        super().__init__()
        self.fine = nn.Sequential(_block(1, 16, 2), _block(16, 32), _block(32, 32, 2))
        self.middle = nn.Sequential(_block(32, 64, 2), _block(64, 64))
        self.coarse = nn.Sequential(_block(64, 96, 2), _block(96, 96))
        self.from_coarse = nn.Conv2d(96, _CHANNELS, 1)
        self.from_middle = nn.Conv2d(64, _CHANNELS, 1)
        self.from_fine = nn.Conv2d(32, _CHANNELS, 1)
        self.join = nn.Sequential(_block(_CHANNELS, _CHANNELS), _block(_CHANNELS, _CHANNELS))
        self.heat = nn.Conv2d(_CHANNELS, classes, 1)
        self.sides = nn.Conv2d(_CHANNELS, 4, 1)
        # Nearly all cells hold no object: begin by saying so (focal loss, section 3.3).
        nn.init.constant_(self.heat.bias, -4.0)  # type: ignore[arg-type]  # a Conv2d has a bias
        nn.init.constant_(self.sides.bias, 1.0)  # type: ignore[arg-type]  # the same

    def heads(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map float32 (B, 1, H, W) to scores (B, classes, G, G), boxes (B, 4, G, G) in pixels."""
        fine = self.fine(pictures)  # (B, 32, G, G)
        middle = self.middle(fine)  # (B, 64, G/2, G/2)
        x = self.from_coarse(self.coarse(middle))  # (B, 64, G/4, G/4)
        x = _enlarge(x, middle) + self.from_middle(middle)
        x = self.join(_enlarge(x, fine) + self.from_fine(fine))  # (B, 64, G, G)
        return self.heat(x), _boxes(self.sides(x))

    def forward(self, pictures: torch.Tensor) -> list[dict[str, torch.Tensor]]:
        """Find the objects of each picture: boxes (n, 4), scores (n,), labels (n,)."""
        heat, boxes = self.heads(pictures)
        heat = heat.float().sigmoid()
        peaks = heat * (nn.functional.max_pool2d(heat, 3, 1, 1) == heat)
        height, width = pictures.shape[-2:]
        limit = torch.tensor([width, height, width, height], device=heat.device)
        return [
            _read(peak, box.float().clamp(min=0).minimum(limit[:, None, None]))
            for peak, box in zip(peaks, boxes, strict=True)
        ]


def loss(heads: tuple[torch.Tensor, torch.Tensor], truth: Truth) -> torch.Tensor:
    """Return L_heat + L_box of a batch, a single number."""
    scores, boxes = heads
    chance = scores.sigmoid().clamp(1e-4, 1 - 1e-4)
    centre = truth.heat.eq(1).float()
    right = centre * (1 - chance) ** 2 * chance.log()
    wrong = (1 - truth.heat) ** 4 * chance**2 * (1 - chance).log()
    heat_loss = -(right + wrong).sum() / centre.sum().clamp(min=1)
    teaches = truth.weight >= _LEARNING_WEIGHT
    weights = truth.weight[teaches]
    found, wanted = (each.movedim(1, -1)[teaches] for each in (boxes, truth.boxes))
    box_loss = (generalized_box_iou_loss(found, wanted) * weights).sum() / weights.sum()
    total: torch.Tensor = heat_loss + box_loss
    return total


def truth_of(
    boxes: list[torch.Tensor], labels: list[torch.Tensor], classes: int, size: int
) -> Truth:
    """Draw the targets of pictures of `size` x `size` pixels: boxes (n, 4), labels (n,) of each."""
    grid = size // STRIDE
    heat = torch.zeros(len(boxes), classes, grid, grid)
    near = torch.zeros(len(boxes), 4, grid, grid)
    weight = torch.zeros(len(boxes), grid, grid)
    cells = (torch.arange(grid) + 0.5) * STRIDE
    for picture, (mine, kinds) in enumerate(zip(boxes, labels, strict=True)):
        for box, kind in zip(mine, kinds, strict=True):
            spot = _spot(box, cells)
            heat[picture, kind] = heat[picture, kind].maximum(spot)
            nearer = spot > weight[picture]
            near[picture, :, nearer] = box[:, None]
            weight[picture] = weight[picture].maximum(spot)
    return Truth(heat, near, weight)


def build(classes: int) -> ScenesDetector:
    """Build the network for so many classes, untrained."""
    return ScenesDetector(classes)


def _enlarge(x: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return nn.functional.interpolate(x, size=like.shape[-2:], mode="nearest")


def _boxes(sides: torch.Tensor) -> torch.Tensor:
    """Turn logarithms of distances (left, top, right, bottom) in cells into boxes in pixels."""
    rows, columns = sides.shape[-2:]
    across = (torch.arange(columns, device=sides.device) + 0.5) * STRIDE
    down = ((torch.arange(rows, device=sides.device) + 0.5) * STRIDE)[:, None]
    left, top, right, bottom = (sides.clamp(max=5).exp() * STRIDE).unbind(1)
    return torch.stack([across - left, down - top, across + right, down + bottom], 1)


def _spot(box: torch.Tensor, cells: torch.Tensor) -> torch.Tensor:
    """Draw an object's Gaussian on the grid (G, G): 1 at the cell of its centre."""
    x1, y1, x2, y2 = box.tolist()
    across, down = (
        torch.exp(
            -((cells - cells[_cell((low + high) / 2, cells)]) ** 2) / (2 * ((high - low) / 6) ** 2)
        )
        for low, high in ((x1, x2), (y1, y2))
    )
    return down[:, None] * across


def _cell(position: float, cells: torch.Tensor) -> int:
    return min(int(position / STRIDE), len(cells) - 1)


def _read(peaks: torch.Tensor, boxes: torch.Tensor) -> dict[str, torch.Tensor]:
    """Take the best peaks (classes, G, G) of one picture and their boxes (4, G, G)."""
    scores, places = peaks.flatten().topk(min(_MOST_OBJECTS, peaks.numel()))
    kept = scores >= _LEAST_SCORE
    scores, places = scores[kept], places[kept]
    cells = boxes.shape[1] * boxes.shape[2]
    labels, found = places // cells, boxes.flatten(1)[:, places % cells].T
    alone = batched_nms(found, scores, labels, _SAME_OBJECT_IOU)
    return {"boxes": found[alone], "scores": scores[alone], "labels": labels[alone]}
