"""Weights put into a network of transformers, by its own rules for names.

A network's tensors have had other names in older versions, and some are saved under the name of a
part, joined, or once for two places. transformers knows all of that (its conversion mapping) and
applies it to a state dict in memory. What it would shrug off is refused here: a tensor that is
missing, and would be made up; one that nobody wants; one that is no number.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from models.huggingface.heads import Head
from models.huggingface.library import LOCK
from models.records.errors import WeightsError

Tensors = dict[str, torch.Tensor]

# Numbers that are not learned: some versions save them, others compute them, and they are the same.
_COMPUTED = ("num_batches_tracked", "position_ids", "relative_position_index", "attn_mask")
_KINDS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
# Tables that a network computes for itself may take so many numbers beyond its weights (256 MB).
_MOST_COMPUTED = 64_000_000
_NAMES_SHOWN = 5


def fill(module: nn.Module, tensors: Tensors, name: str) -> None:
    """Put the tensors into a network that `building.build` gave; raises WeightsError.

    `name` is the model's, for the message. No memory is taken unless the file holds as many numbers
    as the network has. Afterwards each of its numbers is the file's, as float32.
    """
    assert isinstance(module, Head)
    unused = module.recipe.unused
    wanted = {each: value for each, value in tensors.items() if not each.startswith(unused)}
    _check_numbers(wanted, name)
    _check_size(module.network, wanted, name)
    loaded, told = _load(module.network, wanted, module.recipe.extra, name)
    faults = [
        _some("missing", _learned(told["missing_keys"])),
        _some("unexpected", _learned(told["unexpected_keys"])),
        _some("of another shape", [_shapes(*each) for each in sorted(told["mismatched_keys"])]),
        _some("not to be converted", [str(each) for each in told["error_msgs"]]),
        _some("left out", [each for each, value in loaded.named_parameters() if value.is_meta]),
    ]
    _refuse(faults, name)
    module.network = loaded.eval()
    module.take(tensors)


def _check_numbers(tensors: Tensors, name: str) -> None:
    learned = {each: value for each, value in tensors.items() if _learned([each])}
    kinds = [
        f"{each} ({value.dtype})" for each, value in learned.items() if value.dtype not in _KINDS
    ]
    endless = [
        each
        for each, value in learned.items()
        if value.dtype in _KINDS and not value.to(torch.float32).isfinite().all()
    ]
    _refuse([_some("not numbers of the right kind", kinds), _some("not finite", endless)], name)


def _check_size(network: nn.Module, tensors: Tensors, name: str) -> None:
    """Hold what a config asks for against what its file holds, while both take no memory more."""
    given = sum(value.numel() for value in tensors.values())
    # What stands in two places is saved once.
    tied: Mapping[str, str] = network.all_tied_weights_keys  # type: ignore[assignment]  # untyped
    asked = sum(each.numel() for name_, each in network.named_parameters() if name_ not in tied)
    computed = sum(value.numel() for value in network.buffers())
    if asked > given or computed > given + _MOST_COMPUTED:
        raise WeightsError(
            f"The weights do not fit model {name!r}: its config.json asks for "
            f"{asked + computed:,} numbers, and the weights hold {given:,}. "
            "Check that config.json and model.safetensors are of one folder."
        )


def _load(
    network: nn.Module, tensors: Tensors, extra: Mapping[str, Any], name: str
) -> tuple[nn.Module, dict[str, Any]]:
    """Have transformers build the network again, around the tensors, and tell what it met."""
    built: Any = type(network)
    try:
        with LOCK:
            loaded, told = built.from_pretrained(
                None,
                config=network.config,
                state_dict=tensors,
                dtype=torch.float32,
                output_loading_info=True,
                local_files_only=True,
                ignore_mismatched_sizes=True,  # they are told, and refused below
                **extra,
            )
    except (RuntimeError, ValueError, KeyError, TypeError) as err:
        reason = " ".join(str(err).split())[:300]
        raise WeightsError(f"The weights do not fit model {name!r}: {reason}") from err
    return loaded, told


def _learned(names: Iterable[str]) -> list[str]:
    """Leave out the names of what is computed; sorted."""
    return sorted(each for each in names if not each.endswith(_COMPUTED))


def _refuse(faults: list[str], name: str) -> None:
    if any(faults):
        raise WeightsError(
            f"The weights do not fit model {name!r}: {'; '.join(filter(None, faults))}. "
            "Check that config.json and model.safetensors are of one folder."
        )


def _shapes(name: str, given: Iterable[int], wanted: Iterable[int]) -> str:
    return f"{name} {tuple(given)} in model.safetensors instead of {tuple(wanted)} by config.json"


def _some(what: str, names: list[str]) -> str:
    """List the first few names: "missing: a, b and 3 more"; empty for none."""
    if not names:
        return ""
    rest = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return f"{what}: {', '.join(names[:_NAMES_SHOWN])}{rest}"
