"""The three ways to take a step, and what they remember between steps, as plain tensors."""

from collections.abc import Mapping

import torch
from torch import nn

from models.training.recipes import Recipe

_MOMENTUM = 0.9
_PREFIX = "optimizer."


def new_optimizer(recipe: Recipe, module: nn.Module) -> torch.optim.Optimizer:
    """Make the recipe's optimiser for a network's parameters."""
    parameters, rate, decay = module.parameters(), recipe.first_learning_rate, recipe.weight_decay
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=rate, momentum=_MOMENTUM, weight_decay=decay)
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay)
    return torch.optim.Adam(parameters, lr=rate, weight_decay=decay)


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Give what an optimiser remembers: `optimizer.{number of the parameter}.{name}`."""
    state = optimizer.state_dict()["state"]
    return {
        f"{_PREFIX}{number}.{name}": value
        for number, remembered in state.items()
        for name, value in remembered.items()
        if isinstance(value, torch.Tensor)
    }


def restore_optimizer(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]
) -> None:
    """Have an optimiser remember what `optimizer_tensors` gave; other tensors are left out."""
    remembered: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith(_PREFIX):
            number, _, name = key.removeprefix(_PREFIX).partition(".")
            remembered.setdefault(int(number), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": remembered, "param_groups": groups})
