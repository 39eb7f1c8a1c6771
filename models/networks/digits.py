"""Handwritten digits: a small convolutional network in the manner of LeNet-5.

LeCun, Bottou, Bengio, Haffner: "Gradient-Based Learning Applied to Document Recognition" (1998),
with ReLU and max-pooling in place of their tanh and averages, unless these are chosen.
"""

from typing import Any

import torch
from torch import nn

from models.records.options import NetworkOptions, read_options

# In place: nothing else needs what a layer gave before them.
_ACTIVATIONS = {"relu": torch.relu_, "tanh": torch.tanh_, "sigmoid": torch.sigmoid_}
_POOLINGS = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}

_PLAIN = NetworkOptions()


class Digits(nn.Module):
    """Grey 28 x 28 pictures to one score (logit) a class. B is the batch size."""

    def __init__(self, classes: int, options: NetworkOptions = _PLAIN) -> None:
        """Build the layers, untrained."""
        super().__init__()
        size, edge = options.kernel_size, options.kernel_size // 2
        self.conv1 = nn.Conv2d(1, 32, kernel_size=size, padding=edge)
        self.conv2 = nn.Conv2d(32, 64, kernel_size=size, padding=edge)
        self.pool = _POOLINGS[options.pooling](2)
        self.activation = _ACTIVATIONS[options.activation]
        self.dense1 = nn.Linear(64 * 7 * 7, 64)
        self.dense2 = nn.Linear(64, classes)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Map float32 (B, 1, 28, 28) in [0, 1] to logits (B, classes)."""
        x = self.pool(self.activation(self.conv1(pictures)))  # (B, 32, 14, 14)
        x = self.pool(self.activation(self.conv2(x)))  # (B, 64, 7, 7)
        x = torch.flatten(x, start_dim=1)  # (B, 3136)
        x = self.activation(self.dense1(x))  # (B, 64)
        scores: torch.Tensor = self.dense2(x)  # (B, classes)
        return scores


FEATURES = 64


def build_encoder(**options: Any) -> nn.Module:
    """Build it without its last layer, untrained: (B, 1, 28, 28) to (B, FEATURES)."""
    network = build(1, **options)
    network.set_submodule("dense2", nn.Identity())
    return network


def build(classes: int, **options: Any) -> Digits:
    """Build the network for so many classes, untrained; raises RecordError for a bad option."""
    return Digits(classes, read_options(options))
