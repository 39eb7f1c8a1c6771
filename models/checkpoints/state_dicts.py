"""A torch checkpoint's state dict: found, and chosen where it holds several.

    {"w": tensor, …}                                the state dict itself
    {"state_dict": {…}, "epoch": 3}                 the one that it holds
    {"model": {…}, "model_ema": {…}}                of several the one that the author's own loader
                                                    takes, if one is known; else the caller says it

Pickles can run code when they are read. They are read here alone, with `weights_only=True`.
"""

import argparse
import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import torch

from models.checkpoints.pickles import SAVE, check_pickle
from models.records.architectures import source_of
from models.records.errors import WeightsError

Tensors = dict[str, torch.Tensor]

# What DataParallel and torch.compile put before every name, in any order.
_WRAPPERS = ("module.", "_orig_mod.")
# How deep a checkpoint is searched: {"ema": {"module": {…}}}.
_DEPTH = 3
# The order in which timm's own loader takes them (timm.models.load_state_dict): averaged weights
# first.
_OF_TIMM = ("state_dict_ema", "model_ema", "state_dict", "model")
_FLAG = "--state-dict"
_scalar = np.float64(0).__reduce__()[0]
# What trainings put beside the numbers and is data: their settings, which timm's own loader takes
# too, and figures as NumPy's scalars, under the names of both its versions.
_BESIDE: Sequence[Any] = (
    argparse.Namespace,
    np.dtype,
    (_scalar, "numpy.core.multiarray.scalar"),
    (_scalar, "numpy._core.multiarray.scalar"),
    *(type(np.dtype(kind)) for kind in "?bhilqBHILQefd"),
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A state dict, and what is to be said of the choice; empty where there was none."""

    tensors: Tensors
    told: str = ""


def read_checkpoint(
    file: IO[bytes], architecture: str | None = None, key: str | None = None
) -> Chosen:
    """Read a torch checkpoint without letting it run code; raises WeightsError.

    `architecture` says whose loader's order counts, `key` which state dict is wanted.
    """
    check_pickle(file)
    file.seek(0)
    try:
        with torch.serialization.safe_globals(list(_BESIDE)):
            loaded = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as err:
        raise WeightsError(
            "The pickle is refused: it is damaged, or holds more than numbers. Fetch it again. "
            f"{SAVE}"
        ) from err
    chosen = _chosen(loaded, architecture, key)
    return Chosen(_without_wrappers(chosen.tensors), chosen.told)


def _chosen(loaded: object, architecture: str | None, key: str | None) -> Chosen:
    found = dict(_state_dicts(loaded))
    if key is not None:
        if key not in found:
            there = f"it holds {_listed(found)}" if any(found) else "it holds none by a name"
            raise WeightsError(f"The checkpoint has no state dict {key!r} ({_FLAG}); {there}.")
        return Chosen(found[key])
    if not found:
        raise WeightsError(
            "The file holds no state dict (names to tensors). "
            "Save one with torch.save(network.state_dict(), path)."
        )
    networks = _networks(found)
    first = next(iter(networks))
    if all(_are_equal(networks[first], other) for other in networks.values()):
        return Chosen(networks[first])
    taken = _by_rule(networks, architecture)
    if taken is None:
        raise WeightsError(
            f"The checkpoint holds several state dicts that differ, {_listed(networks)}: say which "
            f"one is the network with {_FLAG} KEY, such as {_FLAG} {first}."
        )
    told = (
        f"the checkpoint holds {_listed(networks)}: `{taken}` is taken, as timm's own loader does "
        f"({_FLAG} KEY takes another)"
    )
    return Chosen(networks[taken], told)


def _by_rule(found: Mapping[str, Tensors], architecture: str | None) -> str | None:
    """Name the state dict that the author's own loader takes; None where no loader is known."""
    if architecture is None or source_of(architecture).name != "timm":
        return None
    for each in _OF_TIMM:
        if each in found:
            return each
        if any(name.startswith(f"{each}.") for name in found):
            # timm's own loader would take it and fail: its tensors lie deeper.
            return None
    return None


def _state_dicts(
    loaded: object, name: str = "", depth: int = _DEPTH
) -> Iterator[tuple[str, Tensors]]:
    """Yield the state dicts of a checkpoint with the keys that lead to them, "ema.module"."""
    if not isinstance(loaded, Mapping) or not loaded:
        return
    if _all_tensors(loaded):
        yield name, dict(loaded)
    elif depth:
        for key, value in loaded.items():
            if isinstance(key, str):
                yield from _state_dicts(value, f"{name}.{key}" if name else key, depth - 1)


def _networks(found: Mapping[str, Tensors]) -> Mapping[str, Tensors]:
    """Leave out what has no matrix: the weights of a loss, a scaler's numbers."""
    large = {
        name: tensors
        for name, tensors in found.items()
        if any(value.ndim > 1 for value in tensors.values())
    }
    return large or found


def _are_equal(one: Tensors, other: Tensors) -> bool:
    return one is other or (
        one.keys() == other.keys()
        and all(torch.equal(value, other[name]) for name, value in one.items())
    )


def _without_wrappers(tensors: Tensors) -> Tensors:
    """Take off what DataParallel and torch.compile put before every name."""
    for wrapper in _WRAPPERS * 2:
        if all(name.startswith(wrapper) for name in tensors):
            tensors = {name.removeprefix(wrapper): value for name, value in tensors.items()}
    return tensors


def _all_tensors(loaded: Mapping[object, object]) -> bool:
    return all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in loaded.items()
    )


def _listed(names: Mapping[str, object]) -> str:
    return " and ".join(f"`{each}`" for each in names)
