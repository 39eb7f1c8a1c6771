"""A folder's weights: one safetensors file, or several with an index, which are sent as one.

    model.safetensors               ─► sent as it is
    model.safetensors.index.json    ─► which tensor lies in which file ─► joined while they are sent

Files are looked for in the folder itself and nowhere else, whatever an index says.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pixelmill.client.hugging_face.json_files import read_json
from pixelmill.wire.errors import InvalidInput
from pixelmill.wire.safetensors_stream import Joined, joined

_WEIGHTS = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.msgpack", "*.h5")
# A line for each tensor; the largest published networks of pictures have some thousands.
_MOST_INDEX_BYTES, _MOST_FILES = 16 * 2**20, 1000


def read_weights(path: Path, config: Mapping[str, Any], more: Mapping[str, bytes]) -> Path | Joined:
    """Give what is sent of a folder's weights, with `more` as tensors of bytes beside them.

    Raises InvalidInput, saying how to make such a file of what is there.
    """
    whole = path / _WEIGHTS
    if whole.is_file():
        return joined([whole], more) if more else whole
    index = read_json(path / _INDEX, _MOST_INDEX_BYTES)
    if index is not None:
        names = _names_by_file(path, index)
        return joined(list(names), more, names)
    if any(next(path.glob(kind), None) for kind in _PICKLES):
        raise InvalidInput(
            f"{path} has pickled weights alone, which could run code; if you trust them, write "
            f"{_WEIGHTS} with {_resaving(path, config)}"
        )
    raise InvalidInput(f"{path} has no {_WEIGHTS}.")


def _names_by_file(path: Path, index: Mapping[str, Any]) -> dict[Path, set[str]]:
    """Read which tensors each file holds, in the order of the files' names; raises InvalidInput."""
    where = index.get("weight_map")
    if not isinstance(where, dict) or not where:
        raise InvalidInput(f"{path / _INDEX} has no weight_map, which says where tensors lie.")
    names: dict[str, set[str]] = {}
    for tensor, file in where.items():
        if not isinstance(file, str) or not _is_plain_name(file):
            raise InvalidInput(
                f"{path / _INDEX} places the tensor {tensor!r} in {str(file)[:80]!r}; only "
                "safetensors files of the folder itself are read."
            )
        names.setdefault(file, set()).add(tensor)
    if len(names) > _MOST_FILES:
        raise InvalidInput(f"{path / _INDEX} names {len(names):,} files; {_MOST_FILES:,} are read.")
    for file in sorted(names):
        if not (path / file).is_file():
            raise InvalidInput(f"{path} lacks {file}, which {_INDEX} names; fetch it.")
    return {path / file: names[file] for file in sorted(names)}


def _is_plain_name(file: str) -> bool:
    is_bare = not set("/\\:\0") & set(file) and not file.startswith(".")
    return is_bare and file.endswith(".safetensors")


def _resaving(path: Path, config: Mapping[str, Any]) -> str:
    """Give the command that writes a folder's weights as one safetensors file."""
    named = config.get("architectures")
    name = named[0] if isinstance(named, list) and named and _is_name(named[0]) else "AutoModel"
    return (
        f'python -c "from transformers import {name} as M; '
        f"M.from_pretrained(r'{path}').save_pretrained(r'{path}', max_shard_size='1TB')\""
    )


def _is_name(given: Any) -> bool:
    return isinstance(given, str) and given.isidentifier()
