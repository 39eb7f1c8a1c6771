"""Weights as bytes: safetensors only, checked before they are believed.

Pickles can run code when they are read. They are met in one place, `convert`, which is called on
the own machine of whoever has one (models/checkpoints/state_dicts.py).
"""

import hashlib
import io
import json
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.error import URLError

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import nn

from models.checkpoints.prefixes import shared_beginning, without_prefix
from models.checkpoints.state_dicts import Tensors, read_checkpoint
from models.networks.torchvision_history import with_modern_names
from models.records.errors import WeightsError, WeightsUnavailable
from models.records.weights_header import check_header, looks_pickled

# Auxiliary classifiers of GoogLeNet, Inception and the segmenters: used in training only, so never
# built.
_TRAINING_HEADS = ("aux1.", "aux2.", "AuxLogits.", "aux_classifier.")
# A counter of batch normalisation that only training reads; published weights often lack it.
_TRAINING_COUNTER = "num_batches_tracked"
_NAMES_SHOWN = 5
_BOLD = re.compile(r"\x1b\[[0-9;]*m")


def digest(data: bytes) -> str:
    """Return the digest by which a version is known: "sha256:<64 hex digits>"."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def check_digest(data: bytes, expected: str) -> None:
    """Raise WeightsError unless the bytes have this digest."""
    found = digest(data)
    if found != expected:
        raise WeightsError(
            f"The weights are not the registered ones: expected {expected}, found {found}. "
            "They were changed or damaged; register them again as a new version."
        )


def read(data: bytes) -> Tensors:
    """Read safetensors bytes; raises WeightsError for anything else, pickles included."""
    check_header(len(data), lambda start, length: data[start : start + length])
    try:
        return safetensors.torch.load(data)
    except (SafetensorError, KeyError, ValueError) as err:
        raise WeightsError(f"The safetensors weights cannot be read: {err}.") from err


def write(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str] | None = None) -> bytes:
    """Write tensors as safetensors; the same tensors give the same bytes."""
    # Contiguous copies: neither strides nor shared storage leave a trace (the format sorts names).
    plain = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }
    return safetensors.torch.save(plain, metadata=dict(metadata) if metadata else None)


def read_metadata(data: bytes) -> dict[str, str]:
    """Read what `write` was given beside the tensors; raises WeightsError for no safetensors."""
    check_header(len(data), lambda start, length: data[start : start + length])
    header_bytes = int.from_bytes(data[:8], "little")
    try:
        return dict(json.loads(data[8 : 8 + header_bytes]).get("__metadata__", {}))
    except (ValueError, AttributeError, TypeError) as err:
        raise WeightsError(f"The header of the safetensors file cannot be read: {err}.") from err


def convert(
    source: Path | str | bytes,
    architecture: str | None = None,
    key: str | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> bytes:
    """Turn a local .safetensors, .pth or .pt state dict into safetensors bytes.

    Of a checkpoint with several state dicts that of `key` is taken, else the one that the
    `architecture`'s own loader takes; `tell` hears of such a choice. Raises WeightsError for a file
    that is missing, holds no state dict or several, or is a pickle that needs code to load.
    """
    try:
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
    except OSError as err:
        raise WeightsError(f"The weights file cannot be read: {err}.") from err
    if not looks_pickled(data):
        return write(read(data))
    chosen = read_checkpoint(io.BytesIO(data), architecture, key)
    if chosen.told:
        tell(chosen.told)
    return write(chosen.tensors)


def fetch_torchvision(architecture: str, weights_name: str | None = None) -> bytes:
    """Fetch published weights from torchvision's hub, as safetensors.

    For an operator's registration only: workers never download. Raises WeightsUnavailable where
    this machine cannot reach the hub, UnknownArchitecture or RecordError for unknown names.
    """
    from models.networks.torchvision import published_weights  # takes seconds to import

    weights = published_weights(architecture, weights_name)
    try:
        tensors = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except (URLError, OSError, RuntimeError) as err:
        raise WeightsUnavailable(
            f"The weights {weights.name} of {architecture} could not be fetched from {weights.url} "
            f"({err}). Download that file where there is a network, and give its local path "
            "instead."
        ) from err
    return write(tensors)


def fill(module: nn.Module, tensors: Tensors, name: str) -> None:
    """Put the tensors into the network; raises WeightsError naming what does not fit.

    Every name, shape and kind of number must agree, both ways, but for what only training reads,
    for what it puts before every name, and for names that older versions of torchvision gave;
    `name` is the model's, for the message.
    """
    wanted = module.state_dict()
    plain = without_prefix(tensors, wanted)
    given = _inference_part(plain, wanted)
    if given.keys() != wanted.keys():
        given = _inference_part(with_modern_names(plain), wanted)
    misshapen = [
        key for key in sorted(wanted.keys() & given.keys()) if given[key].shape != wanted[key].shape
    ]
    shapes = [
        f"{key} {tuple(given[key].shape)} instead of {tuple(wanted[key].shape)}"
        for key in misshapen
    ]
    faults = [
        _some("missing", sorted(wanted.keys() - given.keys())),
        _some("unexpected", sorted(given.keys() - wanted.keys())),
        _some("of another shape", shapes),
        _some("not numbers of the right kind", _of_another_kind(given, wanted)),
        _some("not finite", _not_finite(given, wanted)),
    ]
    if faults[-1] and not any(faults[:-1]):
        raise WeightsError(
            f"The weights of model {name!r} are {faults[-1]} (NaN or infinity): they were spoilt "
            "in training or on their way."
        )
    if any(faults):
        raise WeightsError(
            f"The weights do not fit model {name!r}: {'; '.join(filter(None, faults))}. "
            + _remedy(given, wanted)
        )
    fill_exactly(module, given)


def fill_exactly(module: nn.Module, tensors: Tensors) -> None:
    """Put tensors into a network that are known to be its own; raises WeightsError if not."""
    state = OrderedDict(tensors)
    # The versions of the network's parts, which a state dict carries and safetensors do not:
    # torchvision's MNASNet refuses to load without.
    state._metadata = module.state_dict()._metadata  # type: ignore[attr-defined]  # torch leaves it untyped
    try:
        module.load_state_dict(state)
    except RuntimeError as err:
        raise WeightsError(f"The weights are not this network's: {_first_line(err)}") from err


def _remedy(given: Tensors, wanted: Mapping[str, torch.Tensor]) -> str:
    """Say what to look at: the channels, where these alone differ, or the prefix of the names."""
    if channels := _other_channels(given, wanted):
        return channels
    beginning = shared_beginning(given)
    own = shared_beginning(wanted)
    found = (
        f"Nearly all their names begin with {beginning!r}. "
        if beginning and beginning != own
        else ""
    )
    return (
        f"{found}Check that architecture and number of labels (--labels) are those of the weights."
    )


def _other_channels(given: Tensors, wanted: Mapping[str, torch.Tensor]) -> str:
    """Say so where nothing but the channels of the first convolution is another's; else empty."""
    if given.keys() != wanted.keys():
        return ""
    others = [key for key in wanted if given[key].shape != wanted[key].shape]
    if len(others) != 1:
        return ""
    theirs, ours = given[others[0]].shape, wanted[others[0]].shape
    is_alike = len(theirs) == len(ours) == 4 and theirs[0] == ours[0] and theirs[2:] == ours[2:]
    if not is_alike or ours[1] not in (1, 3):
        return ""
    taken = "1 channel" if theirs[1] == 1 else f"{theirs[1]} channels"
    grey = " Grey ones are run of timm and as ONNX files." if theirs[1] == 1 else ""
    return f"They are for pictures of {taken}, and this network takes {ours[1]} here.{grey}"


def _of_another_kind(given: Tensors, wanted: Mapping[str, torch.Tensor]) -> list[str]:
    return [
        f"{key} ({value.dtype} for {wanted[key].dtype})"
        for key, value in given.items()
        if key in wanted and value.is_floating_point() != wanted[key].is_floating_point()
    ]


def _not_finite(given: Tensors, wanted: Mapping[str, torch.Tensor]) -> list[str]:
    """List what is not finite as the network will hold it: a large float64 is no float32."""
    return [
        key
        for key, value in given.items()
        if key in wanted and not value.to(wanted[key].dtype).isfinite().all()
    ]


def _inference_part(tensors: Tensors, wanted: Mapping[str, torch.Tensor]) -> Tensors:
    """Leave out what only training reads; its counters are the untrained network's."""
    counters = {key: value for key, value in wanted.items() if key.endswith(_TRAINING_COUNTER)}
    kept = {
        key: value
        for key, value in tensors.items()
        if not key.startswith(_TRAINING_HEADS) and not key.endswith(_TRAINING_COUNTER)
    }
    return {**kept, **counters}


def _some(what: str, names: list[str]) -> str:
    """List the first few names: "missing: a, b and 3 more"; empty for none."""
    if not names:
        return ""
    rest = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return f"{what}: {', '.join(names[:_NAMES_SHOWN])}{rest}"


def _first_line(err: Exception) -> str:
    # torch writes some of its messages in bold.
    return _BOLD.sub("", str(err)).strip().split("\n", 1)[0]
