"""Everything that a module holds, so that what `forward` writes to it is found."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

State = Mapping[str, Any]

# torch's own, which are looked into one by one or belong to nobody's forward.
_OF_TORCH = frozenset(vars(nn.Module()))


def state_of(module: nn.Module) -> State:
    """Give what each of a network's modules holds, by its name."""
    state: dict[str, Any] = {"training": module.training}
    for path, each in module.named_modules():
        held = {**each._parameters, **each._buffers}
        held |= {name: value for name, value in vars(each).items() if name not in _OF_TORCH}
        for name, value in held.items():
            state[f"{path}.{name}" if path else name] = _kept(value)
    return state


def changes(before: State, after: State) -> list[str]:
    """Name what is there now and was not, or is another."""
    names = [*after, *(name for name in before if name not in after)]
    return [
        name
        for name in names
        if name not in before or name not in after or not _same(before[name], after[name])
    ]


def _kept(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {name: _kept(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_kept(each) for each in value]
    return set(value) if isinstance(value, set) else value


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return one.shape == other.shape and torch.equal(one.nan_to_num(), other.nan_to_num())
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, bool | int | float | str | bytes | set):
        return bool(one == other)
    return one is other
