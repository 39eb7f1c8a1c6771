"""torchvision's classifiers as embedders: the features that the last layer would judge.

The last layer keeps its place and its weights, so that the weights published for a classifier fit
unchanged, but hands on what it is given. In an encoder, which is trained as a part of another
network, it is left out.
"""

import torch
from torch import nn


class Unused(nn.Module):
    """Stands where a last layer stood: has its weights, and answers with its input."""

    def __init__(self, layer: nn.Linear | nn.Conv2d) -> None:
        """Take over the parameters of a layer."""
        super().__init__()
        self.weight, self.bias = layer.weight, layer.bias

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Hand features on."""
        return features


def without_last_layer(network: nn.Module) -> nn.Module:
    """Let a classifier answer with its penultimate features (B, d); changes and returns it."""
    name, last = _last_layer(network)
    network.set_submodule(name, Unused(last))
    return network


def as_encoder(network: nn.Module) -> tuple[nn.Module, int]:
    """Take a classifier's last layer away; returns the rest and the number of its features d."""
    name, last = _last_layer(network)
    network.set_submodule(name, nn.Identity())
    return network, last.in_features if isinstance(last, nn.Linear) else last.in_channels


def _last_layer(network: nn.Module) -> tuple[str, nn.Linear | nn.Conv2d]:
    """Find the layer that gives the scores, and its name.

    In every classifier of torchvision the last layer, in the order in which they were made, is the
    one that gives the scores: a dense one, or SqueezeNet's convolution, whose input is then
    averaged over all places by the pooling that follows.
    """
    return [
        (name, part)
        for name, part in network.named_modules()
        if isinstance(part, nn.Linear | nn.Conv2d)
    ][-1]
