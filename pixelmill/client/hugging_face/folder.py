"""A folder as Hugging Face's libraries save it, read as a model to be registered.

    config.json               what network it is           ─► record["options"]["config"]
    preprocessor_config.json  how pictures are prepared    ─► record["options"]["processor"]
    model.safetensors         the weights                  ─► sent as they are
    README.md                 licence and authors          ─► record["provenance"]

Nothing is judged here but whether the files are there and can be read: what of them can be run is
for the server to say.
"""

import json
import re
from pathlib import Path
from typing import Any

from pixelmill.wire.errors import InvalidInput

_WEIGHTS = "model.safetensors"
_SHARDS = "model.safetensors.index.json"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.msgpack", "*.h5")
_MOST_BYTES = 4 * 2**20
# A model card's front matter stands at its top.
_CARD_BYTES = 64 * 2**10
_FRONT_MATTER = re.compile(r"\A\ufeff?---\s*\n(.*?)\n---\s*(?:\n|\Z)", re.DOTALL)
_CARD_MEMBERS = ("license", "license_name", "author", "authors")


def read_folder(path: Path) -> tuple[Path, dict[str, Any]]:
    """Return the path of a folder's weights, and the record to register them by.

    The record has `architecture`, `options` and `provenance`; what else a record needs a worker
    reads from these. Raises InvalidInput, in one line, for a folder without config.json, without
    safetensors, or with weights in several files.
    """
    if not path.is_dir():
        raise InvalidInput(f"{path} is no folder.")
    config = _read_json(path / "config.json")
    if config is None:
        raise InvalidInput(f"{path} has no config.json: it is no folder of a Hugging Face model.")
    model_type = config.get("model_type")
    if not isinstance(model_type, str) or not model_type:
        raise InvalidInput(f"{path / 'config.json'} lacks model_type, the kind of the network.")
    weights = _weights(path, config)
    options: dict[str, Any] = {"config": config}
    processor = _processor(path)
    if processor is not None:
        options["processor"] = processor
    return weights, {
        "architecture": f"huggingface/{model_type}",
        "options": options,
        "provenance": _provenance(path, config),
    }


def _weights(path: Path, config: dict[str, Any]) -> Path:
    """Find the weights; raises InvalidInput saying how to make such a file of what is there."""
    weights = path / _WEIGHTS
    if weights.is_file():
        return weights
    if (path / _SHARDS).is_file():
        raise InvalidInput(
            f"{path} has its weights in several files ({_SHARDS}); write one with "
            f"{_resaving(path, config)}"
        )
    if any(next(path.glob(kind), None) for kind in _PICKLES):
        raise InvalidInput(
            f"{path} has pickled weights alone, which could run code; if you trust them, write "
            f"{_WEIGHTS} with {_resaving(path, config)}"
        )
    raise InvalidInput(f"{path} has no {_WEIGHTS}.")


def _resaving(path: Path, config: dict[str, Any]) -> str:
    """Give the command that writes a folder's weights as one safetensors file."""
    named = config.get("architectures")
    name = named[0] if isinstance(named, list) and named and _is_name(named[0]) else "AutoModel"
    return (
        f'python -c "from transformers import {name} as M; '
        f"M.from_pretrained(r'{path}').save_pretrained(r'{path}', max_shard_size='1TB')\""
    )


def _is_name(given: Any) -> bool:
    return isinstance(given, str) and given.isidentifier()


def _processor(path: Path) -> dict[str, Any] | None:
    """Read how pictures are prepared, from whichever file says it; None where none does.

    transformers 5 saves the processor of a network for pictures and texts within that of both.
    """
    for name in ("preprocessor_config.json", "video_preprocessor_config.json"):
        given = _read_json(path / name)
        if given is not None:
            return given
    both = _read_json(path / "processor_config.json") or {}
    for member in ("image_processor", "video_processor"):
        if isinstance(both.get(member), dict):
            return dict(both[member])
    return None


def _read_json(path: Path) -> dict[str, Any] | None:
    """Read a JSON object; None where there is no such file. Raises InvalidInput."""
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise InvalidInput(f"{path} has {size:,} bytes; at most {_MOST_BYTES:,} are read.")
        read = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as err:
        raise InvalidInput(f"{path} cannot be read: {err}.") from err
    if not isinstance(read, dict):
        raise InvalidInput(f"{path} must hold a JSON object.")
    return read


def _provenance(path: Path, config: dict[str, Any]) -> dict[str, str]:
    """Say where the model is from, as far as the folder tells: source, license, author."""
    name = config.get("_name_or_path")
    is_repository = isinstance(name, str) and re.fullmatch(r"[\w.-]+/[\w.-]+", name)
    told = {"source": f"Hugging Face: {name}" if is_repository else f"folder {path.resolve().name}"}
    card = _front_matter(path / "README.md")
    license_name = card.get("license")
    if license_name == "other":  # then the name stands beside it
        license_name = card.get("license_name", license_name)
    author = card.get("author") or card.get("authors")
    return told | {
        member: value
        for member, value in (("license", license_name), ("author", author))
        if value is not None
    }


def _front_matter(path: Path) -> dict[str, str]:
    """Read the plain top-level members of a model card's YAML; none where there is no card."""
    try:
        with path.open("rb") as file:
            text = file.read(_CARD_BYTES).decode(errors="replace").replace("\r\n", "\n")
    except OSError:
        return {}
    found = _FRONT_MATTER.match(text)
    members: dict[str, str] = {}
    for line in found[1].splitlines() if found else ():
        name, separator, value = line.partition(":")
        plain = value.strip().strip("'\"")
        if separator and name in _CARD_MEMBERS and plain:
            members[name] = plain[:200]
    return members
