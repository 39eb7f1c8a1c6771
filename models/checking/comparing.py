"""Whether two answers of a network are the same, but for rounding."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import torch

# Of the largest number of an answer, at least of one: kernels round otherwise with every batch.
_TOLERANCE = 1e-3


def difference(one: Any, other: Any) -> str:
    """Say how two answers differ; nothing where they do not."""
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return _of_tensors(one, other)
    if type(one) is not type(other):
        return f"{type(other).__name__} for {type(one).__name__}"
    if is_dataclass(one):
        return _of_parts(
            [(getattr(one, each.name), getattr(other, each.name)) for each in fields(one)]
        )
    if isinstance(one, Mapping):
        if list(one) != list(other):
            return f"{list(other)} for {list(one)}"
        return _of_parts([(one[name], other[name]) for name in one])
    if isinstance(one, Sequence) and not isinstance(one, str | bytes):
        if len(one) != len(other):
            return f"{len(other)} parts for {len(one)}"
        return _of_parts(list(zip(one, other, strict=True)))
    if isinstance(one, float):
        return _of_tensors(torch.tensor(one), torch.tensor(other))
    return "" if one == other else f"{other!r} for {one!r}"


def _of_parts(pairs: Sequence[tuple[Any, Any]]) -> str:
    return next((found for pair in pairs if (found := difference(*pair))), "")


def _of_tensors(one: torch.Tensor, other: torch.Tensor) -> str:
    if one.shape != other.shape:
        return f"a shape of {list(other.shape)} for {list(one.shape)}"
    if not one.is_floating_point():
        return "" if torch.equal(one, other) else "other whole numbers"
    if not one.numel():
        return ""
    most = float((one - other).abs().max())
    allowed = _TOLERANCE * max(1.0, float(one.abs().max()))
    return f"numbers up to {most:.2g} apart" if not most <= allowed else ""
