"""Several safetensors files, and bytes beside them, sent as one file that is never on disk.

    headers ──► one header, its places counted anew ──► the tensors of each file, block by block

A file is eight bytes with its header's length, the header (JSON: for each tensor its kind of
number, shape and place), and the numbers (https://huggingface.co/docs/safetensors). Whether what a
header claims is true is for the server to say.
"""

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelmill.wire.errors import InvalidInput
from pixelmill.wire.tarstream import BLOCK_BYTES, file_size

# As much as the server reads.
_MOST_HEADER_BYTES = 16 * 2**20
_LENGTH = struct.Struct("<Q")
_METADATA = "__metadata__"
# So that tensors lie where processors like them.
_ALIGNMENT = 8


@dataclass(frozen=True, slots=True)
class _Body:
    """The tensors of one file: `size` bytes of it from `start` on."""

    path: Path
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Joined:
    """A safetensors file that is made while it is sent; the same files give the same bytes."""

    header: bytes
    bodies: tuple[_Body, ...]
    # What comes after them, in the header's order.
    more: tuple[bytes, ...]

    @property
    def size(self) -> int:
        """Bytes of the whole."""
        bodies = sum(body.size for body in self.bodies)
        return len(self.header) + bodies + sum(map(len, self.more))

    def blocks(self) -> Iterator[bytes]:
        """Give the file, block by block; raises InvalidInput for one that changed meanwhile."""
        yield self.header
        for body in self.bodies:
            yield from _blocks(body)
        yield from self.more


def joined(
    files: Sequence[Path],
    more: Mapping[str, bytes],
    names_by_file: Mapping[Path, set[str]] | None = None,
) -> Joined:
    """Put files together, and `more` as tensors of uint8, by their names.

    `names_by_file` are the tensors that each file must hold, no more and no fewer, where an index
    says so. Raises InvalidInput for a file that is no safetensors file or holds others, and for a
    tensor that stands twice.
    """
    tensors: dict[str, Any] = {}
    bodies: list[_Body] = []
    end = 0
    for path in files:
        held, body = _read(path)
        if names_by_file is not None:
            _check_names(path, set(held), names_by_file[path])
        for name, tensor in held.items():
            if name in tensors:
                raise InvalidInput(f"{path} holds the tensor {name!r}, which stands twice.")
            tensors[name] = _moved(path, name, tensor, end)
        bodies.append(body)
        end += body.size
    for name, data in more.items():
        if name in tensors:
            raise InvalidInput(f"{files[0].parent}: the tensor {name!r} stands in the weights.")
        place = [end, end + len(data)]
        tensors[name] = {"dtype": "U8", "shape": [len(data)], "data_offsets": place}
        end += len(data)
    return Joined(_header(tensors), tuple(bodies), tuple(more.values()))


def tensor_shapes(weights: Path | Joined) -> dict[str, tuple[int, ...]]:
    """Give the shape of each tensor by the file's header; raises InvalidInput for no such file."""
    if isinstance(weights, Joined):
        held = json.loads(weights.header[_LENGTH.size :])
        held.pop(_METADATA, None)
    else:
        held, _ = _read(weights)
    return {
        name: tuple(tensor["shape"])
        for name, tensor in held.items()
        if isinstance(tensor, dict) and isinstance(tensor.get("shape"), list)
    }


def _header(tensors: Mapping[str, Any]) -> bytes:
    text = json.dumps({_METADATA: {"format": "pt"}, **tensors}, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    if len(text) > _MOST_HEADER_BYTES:
        raise InvalidInput(
            f"The weights' header would have {len(text):,} bytes; at most "
            f"{_MOST_HEADER_BYTES:,} are read."
        )
    return _LENGTH.pack(len(text)) + text


def _read(path: Path) -> tuple[dict[str, Any], _Body]:
    """Read a file's header, and where its tensors lie; raises InvalidInput."""
    size = file_size(path)
    try:
        with path.open("rb") as file:
            (length,) = _LENGTH.unpack(file.read(_LENGTH.size))
            if length > min(_MOST_HEADER_BYTES, size - _LENGTH.size):
                raise ValueError(f"it states a header of {length:,} bytes")
            header = json.loads(file.read(length), object_pairs_hook=_unique)
        if not isinstance(header, dict):
            raise ValueError("its header is no object")
    except OSError as err:
        raise InvalidInput(f"{path} cannot be read: {err.strerror or err}.") from err
    except (ValueError, struct.error, RecursionError) as err:
        raise InvalidInput(f"{path} is no safetensors file: {err}.") from err
    header.pop(_METADATA, None)
    start = _LENGTH.size + length
    return header, _Body(path, start, size - start)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) < len(pairs):
        raise ValueError("a name stands twice in its header")
    return names


def _moved(path: Path, name: str, tensor: Any, by: int) -> dict[str, Any]:
    try:
        start, stop = tensor["data_offsets"]
        return {**tensor, "data_offsets": [start + by, stop + by]}
    except (KeyError, TypeError, ValueError) as err:
        raise InvalidInput(f"{path} does not say where its tensor {name!r} lies.") from err


def _check_names(path: Path, held: set[str], wanted: set[str]) -> None:
    for missing in sorted(wanted - held)[:1]:
        raise InvalidInput(f"{path} lacks the tensor {missing!r}, which the index says it holds.")
    for unknown in sorted(held - wanted)[:1]:
        raise InvalidInput(
            f"{path} holds the tensor {unknown!r}, which the index does not name there."
        )


def _blocks(body: _Body) -> Iterator[bytes]:
    left = body.size
    try:
        with body.path.open("rb") as file:
            file.seek(body.start)
            while block := file.read(min(BLOCK_BYTES, left + 1)):
                left -= len(block)
                if left < 0:
                    break
                yield block
    except OSError as err:
        raise InvalidInput(f"{body.path} cannot be read: {err.strerror or err}.") from err
    if left:
        raise InvalidInput(f"{body.path} changed while it was being sent; push again.")
