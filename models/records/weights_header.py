"""What the header of a safetensors file says, checked without torch and without its numbers.

A file is eight bytes with the header's length, the header (JSON: for each tensor its kind of
number, shape and place), and the numbers (https://huggingface.co/docs/safetensors). Whatever the
header claims is held against the file's size before anything is allocated for it: a header of a few
bytes may claim tensors of terabytes.
"""

import json
import struct
from collections.abc import Callable, Mapping
from math import prod
from typing import Any

from models.records.errors import WeightsError

# The largest network of torchvision (vit_h_14 at 518 pixels) has 2.5 GB.
MAX_BYTES = 8 * 2**30
# A header is about 100 bytes a tensor; the format itself allows 100 MB of JSON.
MAX_HEADER_BYTES = 16 * 2**20

_LENGTH = struct.Struct("<Q")
_MOST_AXES = 8
_METADATA = "__metadata__"
# Bytes of one number, by the format's name for its kind.
_NUMBER_BYTES: Mapping[str, int] = {
    **dict.fromkeys(("F64", "I64", "U64"), 8),
    **dict.fromkeys(("F32", "I32", "U32"), 4),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 2),
    **dict.fromkeys(("I8", "U8", "BOOL"), 1),
}

# Reads `length` bytes from `start` on.
Read = Callable[[int, int], bytes]


def looks_pickled(data: bytes) -> bool:
    """Say whether the bytes are a torch checkpoint (a zip archive, or a bare pickle)."""
    # One safetensors file in 32 begins with a pickle's byte too: it is its header's length.
    has_header = data[4:9] == b"\0\0\0\0{"
    return data.startswith((b"PK\x03\x04", b"\x80")) and not has_header


def check_header(size: int, read: Read) -> None:
    """Refuse what is no safetensors file of `size` bytes, or claims what cannot be true.

    Raises WeightsError, whose message says what is wrong.
    """
    if looks_pickled(read(0, min(_LENGTH.size + 1, size))):
        raise WeightsError(
            "The weights are a Python pickle (.pth, .pt), which could run code. Convert them to "
            "safetensors with models.runtime.weights.convert and register those."
        )
    if size > MAX_BYTES:
        raise WeightsError(f"The weights have {size:,} bytes; at most {MAX_BYTES:,} are read.")
    if size < _LENGTH.size:
        raise WeightsError(f"The weights have only {size} bytes: no safetensors file.")
    (length,) = _LENGTH.unpack(read(0, _LENGTH.size))
    if length > min(MAX_HEADER_BYTES, size - _LENGTH.size):
        raise WeightsError(
            f"The weights state a header of {length:,} bytes in a file of {size:,}: "
            "no safetensors file, or a damaged one."
        )
    _check_tensors(_parse(read(_LENGTH.size, length)), size - _LENGTH.size - length)


def tensor_shapes(data: bytes) -> dict[str, tuple[int, ...]]:
    """Read the shape of each tensor from a whole file's header; raises WeightsError."""
    check_header(len(data), lambda start, length: data[start : start + length])
    (length,) = _LENGTH.unpack(data[: _LENGTH.size])
    tensors = _parse(data[_LENGTH.size : _LENGTH.size + length])
    return {name: tuple(tensor["shape"]) for name, tensor in tensors.items()}


def _parse(header: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(header, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as err:
        raise WeightsError(f"The weights' header cannot be read: {err}.") from err
    if not isinstance(parsed, dict):
        raise WeightsError("The weights' header is no JSON object.")
    parsed.pop(_METADATA, None)
    if not parsed:
        raise WeightsError("The weights' header names no tensors.")
    return parsed


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) < len(pairs):
        raise ValueError("a name stands in it twice")
    return names


def _check_tensors(tensors: Mapping[str, Any], body_bytes: int) -> None:
    """Hold each tensor's place against its size; together they fill the file without a gap."""
    places = sorted(_place(name, tensor) for name, tensor in tensors.items())
    end = 0
    for start, stop, name in places:
        if start != end:
            raise WeightsError(f"The weights' tensor {name!r} overlaps another, or leaves a gap.")
        end = stop
    if end != body_bytes:
        raise WeightsError(
            f"The weights' header states {end:,} bytes of tensors, and the file has {body_bytes:,}."
        )


def _place(name: str, tensor: Any) -> tuple[int, int, str]:
    """Give where a tensor begins and ends; raises WeightsError unless its size is that."""
    try:
        number_bytes = _NUMBER_BYTES[tensor["dtype"]]
        shape, (start, stop) = tensor["shape"], tensor["data_offsets"]
        numbers = [*shape, start, stop]
    except (KeyError, TypeError, ValueError) as err:
        raise WeightsError(
            f"The weights' tensor {name!r} lacks a known dtype, its shape or its place."
        ) from err
    if not all(type(each) is int and 0 <= each <= MAX_BYTES for each in numbers):
        raise WeightsError(
            f"The weights' tensor {name!r} states a shape or a place that cannot be true."
        )
    if len(shape) > _MOST_AXES or prod(shape) * number_bytes != stop - start:
        raise WeightsError(
            f"The weights' tensor {name!r} of shape {shape[:_MOST_AXES]} does not fit its "
            f"{stop - start:,} bytes."
        )
    return start, stop, name
