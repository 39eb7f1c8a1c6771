"""Weights in several safetensors files, put together into one.

    8 bytes, the header's length │ header, JSON: {name: {dtype, shape, data_offsets}} │ numbers

The numbers of the parts follow each other, and the offsets of each part's header grow by what lies
before. They are copied, never read; what is wrong with them the server's own check of the header
tells.
"""

import json
import shutil
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelmill.wire.errors import InvalidInput

_LENGTH = struct.Struct("<Q")
_MOST_HEADER_BYTES = 100 * 10**6
_METADATA = "__metadata__"
_BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class _Part:
    path: Path
    header: Mapping[str, Any]
    # Where its numbers begin, and how many bytes they have.
    begins: int
    size: int


def join_parts(index: Mapping[str, Any], paths: Sequence[Path], target: Path) -> None:
    """Write one file of the tensors of all parts.

    `index` is the content of model.safetensors.index.json. Raises InvalidInput where it and the
    parts do not say the same.
    """
    parts = [_read(path) for path in paths]
    _check_index(index, parts)
    header = json.dumps(_joined(parts), separators=(",", ":")).encode()
    header += b" " * (-len(header) % _LENGTH.size)
    with target.open("wb") as file:
        file.write(_LENGTH.pack(len(header)) + header)
        for part in parts:
            with part.path.open("rb") as numbers:
                numbers.seek(part.begins)
                shutil.copyfileobj(numbers, file, _BLOCK)


def _read(path: Path) -> _Part:
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            (length,) = _LENGTH.unpack(file.read(_LENGTH.size))
            if length > min(_MOST_HEADER_BYTES, size):
                raise ValueError("its header is too long")
            header = json.loads(file.read(length))
        if not isinstance(header, dict):
            raise TypeError("its header is no JSON object")
    except (ValueError, TypeError, RecursionError, struct.error) as err:
        raise InvalidInput(f"{path.name} is no safetensors file: {err}.") from err
    begins = _LENGTH.size + length
    return _Part(path, header, begins, size - begins)


def _check_index(index: Mapping[str, Any], parts: Sequence[_Part]) -> None:
    said = index.get("weight_map")
    held = {name: part.path.name for part in parts for name in part.header if name != _METADATA}
    if not isinstance(said, dict):
        raise InvalidInput("The weights' index has no weight_map, which says what lies where.")
    strange = sorted({str(each) for each in said.values()} - {part.path.name for part in parts})
    if strange:
        raise InvalidInput(
            f"The weights' index names the file {strange[0]!r}, which is none of their parts."
        )
    if said != held or len(held) != sum(_count(part) for part in parts):
        raise InvalidInput("The weights' index and their parts do not name the same tensors.")


def _count(part: _Part) -> int:
    return len(part.header.keys() - {_METADATA})


def _joined(parts: Sequence[_Part]) -> dict[str, Any]:
    whole: dict[str, Any] = {_METADATA: {"format": "pt"}}
    before = 0
    for part in parts:
        for name, tensor in part.header.items():
            if name != _METADATA:
                whole[name] = _moved(part, name, tensor, before)
        before += part.size
    return whole


def _moved(part: _Part, name: str, tensor: Any, by: int) -> dict[str, Any]:
    try:
        begin, end = tensor["data_offsets"]
        return {**tensor, "data_offsets": [begin + by, end + by]}
    except (KeyError, TypeError, ValueError) as err:
        raise InvalidInput(f"{part.path.name} does not say where {name!r} lies.") from err
