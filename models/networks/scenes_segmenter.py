"""The ink of each digit in a scene: a small U-Net, one score a class for every pixel.

The way down sees more and more of the picture at less and less resolution; the way up enlarges
that again and joins it at each level with what the way down saw there, so that the answer knows
both what and where. It works on half the resolution at most: the last layer says for each place
what its four pixels are (sub-pixel convolution), at half the cost.

Training. L_pixel is the cross-entropy of the pixels, where one of ink counts as much as ten of the
ground, which fills most of a scene and teaches little of digits. Added to it, with P the softmax
and Y the truth, is the soft Dice loss, which counts a stroke that is drawn too thick as well:

    L_dice = 1 - mean over classes of  (2 sum P Y + 1) / (sum P + sum Y + 1)

Sources: Ronneberger, Fischer, Brox "U-Net" (2015), with padding and batch normalisation; Shi et
al. "Real-Time Single Image and Video Super-Resolution" (2016) for the sub-pixel convolution;
Milletari, Navab, Ahmadi "V-Net" (2016) for the Dice loss.
"""

import torch
from torch import nn

_INK_WEIGHT = 10.0


def _block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class ScenesSegmenter(nn.Module):
    """Grey scenes to scores. B is the batch size."""

    def __init__(self, classes: int) -> None:
        """Build the layers, untrained."""
        super().__init__()
        self.down1 = nn.Sequential(_block(1, 16, stride=2), _block(16, 24))
        self.down2 = nn.Sequential(nn.MaxPool2d(2), _block(24, 48), _block(48, 48))
        self.down3 = nn.Sequential(nn.MaxPool2d(2), _block(48, 96), _block(96, 96))
        self.narrow3 = nn.Conv2d(96, 48, 1)
        self.up2 = _block(48 + 48, 48)
        self.narrow2 = nn.Conv2d(48, 24, 1)
        self.up1 = _block(24 + 24, 32)
        self.scores = nn.Conv2d(32, 4 * classes, 1)
        self.unfold = nn.PixelShuffle(2)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Map float32 (B, 1, H, W) to scores (B, classes, H, W)."""
        x1 = self.down1(pictures)  # (B, 24, H/2, W/2)
        x2 = self.down2(x1)  # (B, 48, H/4, W/4)
        x3 = self.down3(x2)  # (B, 96, H/8, W/8)
        x = self.up2(_join(self.narrow3(x3), x2))  # (B, 48, H/4, W/4)
        x = self.up1(_join(self.narrow2(x), x1))  # (B, 32, H/2, W/2)
        scores: torch.Tensor = self.unfold(self.scores(x))  # four pixels of each place
        height, width = pictures.shape[-2:]
        return scores[..., :height, :width]  # odd sides were rounded up


def loss(scores: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Return L_pixel + L_dice; scores (B, classes, H, W), truth int64 (B, H, W), 0 the ground."""
    weights = 1 + (_INK_WEIGHT - 1) * truth.gt(0).float()
    surprise = nn.functional.cross_entropy(scores, truth, reduction="none")
    pixel_loss = (surprise * weights).sum() / weights.sum()
    chance = scores.softmax(1)
    wanted = nn.functional.one_hot(truth, scores.shape[1]).movedim(-1, 1)
    both = (chance * wanted).sum((0, 2, 3))
    either = chance.sum((0, 2, 3)) + wanted.sum((0, 2, 3))
    return pixel_loss + 1 - ((2 * both + 1) / (either + 1)).mean()


def build(classes: int) -> ScenesSegmenter:
    """Build the network for so many classes, untrained."""
    return ScenesSegmenter(classes)


def _join(x: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """Enlarge to the size of what was seen there on the way down, and put both side by side."""
    return torch.cat([nn.functional.interpolate(x, size=seen.shape[-2:], mode="nearest"), seen], 1)
