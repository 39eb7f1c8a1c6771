"""A folder as Hugging Face's libraries save it, read as a model to be registered.

    config.json               what network it is           ─► record["options"]["config"]
    preprocessor_config.json  how pictures are prepared    ─► record["options"]["processor"]
    model.safetensors         the weights                  ─► sent as they are, or joined
    tokenizer.json            how labels are read          ─► sent with them, where jobs bring some
    README.md                 licence and authors          ─► record["provenance"]

Nothing is judged here but whether the files are there and can be read: what of them can be run is
for the server to say.
"""

import re
from pathlib import Path
from typing import Any

from pixelmill.client.hugging_face.json_files import read_json
from pixelmill.client.hugging_face.tokenizer import TENSOR, read_tokenizer
from pixelmill.client.hugging_face.weights import read_weights
from pixelmill.wire.errors import InvalidInput
from pixelmill.wire.safetensors_stream import Joined

# What takes labels with each job, and so the folder's tokenizer.
_ZERO_SHOT = "zero-shot-classification"
# A model card's front matter stands at its top.
_CARD_BYTES = 64 * 2**10
_FRONT_MATTER = re.compile(r"\A\ufeff?---\s*\n(.*?)\n---\s*(?:\n|\Z)", re.DOTALL)
_CARD_MEMBERS = ("license", "license_name", "author", "authors")


def read_folder(path: Path, task: str | None = None) -> tuple[Path | Joined, dict[str, Any]]:
    """Return what is sent as a folder's weights, and the record to register them by.

    The record has `architecture`, `options` and `provenance`; what else a record needs a worker
    reads from these. For the `task` zero-shot-classification the tokenizer is sent along. Raises
    InvalidInput, in one line, for a folder without config.json or safetensors, or whose files do
    not belong together.
    """
    if not path.is_dir():
        raise InvalidInput(f"{path} is no folder.")
    config = read_json(path / "config.json")
    if config is None:
        raise InvalidInput(f"{path} has no config.json: it is no folder of a Hugging Face model.")
    model_type = config.get("model_type")
    if not isinstance(model_type, str) or not model_type:
        raise InvalidInput(f"{path / 'config.json'} lacks model_type, the kind of the network.")
    options: dict[str, Any] = {"config": config}
    more: dict[str, bytes] = {}
    if task == _ZERO_SHOT:
        more[TENSOR], options["tokenizer"] = read_tokenizer(path)
    processor = _processor(path)
    if processor is not None:
        options["processor"] = processor
    return read_weights(path, config, more), {
        "architecture": f"huggingface/{model_type}",
        "options": options,
        "provenance": _provenance(path, config),
    }


def _processor(path: Path) -> dict[str, Any] | None:
    """Read how pictures are prepared, from whichever file says it; None where none does.

    transformers 5 saves the processor of a network for pictures and texts within that of both.
    """
    for name in ("preprocessor_config.json", "video_preprocessor_config.json"):
        given = read_json(path / name)
        if given is not None:
            return given
    both = read_json(path / "processor_config.json") or {}
    for member in ("image_processor", "video_processor"):
        if isinstance(both.get(member), dict):
            return dict(both[member])
    return None


def _provenance(path: Path, config: dict[str, Any]) -> dict[str, str]:
    """Say where the model is from, as far as the folder tells: source, license, author."""
    name = config.get("_name_or_path")
    is_repository = isinstance(name, str) and re.fullmatch(r"[\w.-]+/[\w.-]+", name)
    source = f"Hugging Face: {name}" if is_repository else f"folder {path.resolve().name}"
    return {"source": source, **read_card(path / "README.md")}


def read_card(path: Path) -> dict[str, str]:
    """Read what a model card says of `license` and `author`; neither where it does not."""
    card = _front_matter(path)
    license_name = card.get("license")
    if license_name == "other":  # then the name stands beside it
        license_name = card.get("license_name", license_name)
    author = card.get("author") or card.get("authors")
    return {
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
