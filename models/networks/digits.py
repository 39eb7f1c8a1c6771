"""Handwritten digits: a small convolutional network in the manner of LeNet-5.

LeCun, Bottou, Bengio, Haffner: "Gradient-Based Learning Applied to Document Recognition" (1998),
with ReLU and max-pooling in place of their tanh and averages.
"""

import torch
from torch import nn


class Digits(nn.Module):
    """Grey 28 x 28 pictures to one score (logit) a class. B is the batch size."""

    def __init__(self, classes: int) -> None:
        """Build the layers, untrained."""
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, kernel_size=3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.dense1 = nn.Linear(64 * 7 * 7, 64)
        self.dense2 = nn.Linear(64, classes)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Map float32 (B, 1, 28, 28) in [0, 1] to logits (B, classes)."""
        x = self.pool(torch.relu(self.conv1(pictures)))  # (B, 32, 14, 14)
        x = self.pool(torch.relu(self.conv2(x)))  # (B, 64, 7, 7)
        x = torch.flatten(x, start_dim=1)  # (B, 3136)
        x = torch.relu(self.dense1(x))  # (B, 64)
        scores: torch.Tensor = self.dense2(x)  # (B, classes)
        return scores


def build(classes: int) -> Digits:
    """Build the network for so many classes, untrained."""
    return Digits(classes)
