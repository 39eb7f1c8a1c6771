"""Weights that are drawn, not trained: the same for the same network everywhere."""

import torch
from safetensors.torch import save
from torch import nn

from models.records.record import ModelRecord
from models.runtime.torch_runtime import build

_SEED = 7
_PICTURES, _SIDE = 8, 224


def seeded_weights(record: ModelRecord) -> bytes:
    """Draw weights of one of torchvision's classifiers that tell photos apart: safetensors."""
    with torch.random.fork_rng():
        torch.manual_seed(_SEED)
        module = build(record)
        for layer in module.modules():
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=0.2)
        _settle(module)
    return save({name: tensor.contiguous() for name, tensor in module.state_dict().items()})


@torch.no_grad()
def _settle(module: nn.Module) -> None:
    """Let batch normalisation see soft blots: without it drawn weights leave next to nothing."""
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None
    coarse = torch.randn(_PICTURES, 3, 7, 7)
    module.train()
    module(nn.functional.interpolate(coarse, size=(_SIDE, _SIDE), mode="bicubic"))
