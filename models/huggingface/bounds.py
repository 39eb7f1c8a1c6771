"""How large what a config.json says may be, before anything is made of it.

A few bytes of JSON may ask for a thousand million layers. Whatever is within these bounds takes
little time to build on the meta device, where it takes no memory; what it would take then is held
against the weights (loading.py). Needs neither torch nor transformers.
"""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from models.records.errors import RecordError

# Names of 22,000 classes take a megabyte.
_MOST_BYTES = 4 * 2**20
_MOST_ENTRIES, _MOST_NUMBERS, _MOST_DEPTH, _MOST_CHARACTERS = 50_000, 64, 6, 1000
_MOST = 65_536
# The largest published networks have 48 layers, 6,144 numbers a place and pictures of 1,536 pixels.
_MOST_BY_WORD: tuple[tuple[str, int], ...] = (
    ("layers", 256),
    ("depth", 256),
    ("blocks", 256),
    ("stages", 64),
    ("image_size", 4096),
    ("eval_size", 4096),
    ("window", 512),
    ("frames", 512),
    ("queries", 4096),
    ("detection_tokens", 4096),
    ("hidden_size", 16_384),
    ("embed_dim", 16_384),
    ("d_model", 16_384),
    # Of texts; SigLIP 2 has 256,000 words.
    ("vocab_size", 300_000),
    ("token_id", 300_000),
    ("position_embeddings", 4096),
)
# Of all lists of layers together, so that no network has more parts than take seconds to build.
_MOST_LAYERS = 1024
# Places of a picture times numbers a place; some kinds make a table of them, one by one.
_MOST_IN_PLACES = 2**24


def check_bounds(plain: Any, what: str) -> None:
    """Raise RecordError, naming the setting, unless `plain` is JSON data of a sane size.

    `what` is the file's name, for the message.
    """
    if not isinstance(plain, Mapping):
        raise RecordError(f"{what} must be an object, with names and values.")
    _check_depth(plain, what, _MOST_DEPTH)
    try:
        size = len(json.dumps(plain, allow_nan=False))
    except (TypeError, ValueError) as err:
        raise RecordError(f"{what} is no plain JSON: {err}.") from err
    if size > _MOST_BYTES:
        raise RecordError(f"{what} has {size:,} bytes; at most {_MOST_BYTES:,} are read.")
    for path, value in _leaves(plain, ""):
        _check_leaf(path, value, what)
    _check_layers(plain, what)
    for part in (plain, *(each for each in plain.values() if isinstance(each, Mapping))):
        _check_places(part, what)


def _check_depth(plain: Any, what: str, left: int) -> None:
    if not isinstance(plain, Mapping | list | tuple):
        return
    if not left:
        raise RecordError(f"{what} nests more than {_MOST_DEPTH} deep.")
    if len(plain) > _MOST_ENTRIES:
        raise RecordError(f"{what} has a list of {len(plain):,}; at most {_MOST_ENTRIES:,} pass.")
    if not isinstance(plain, Mapping) and len(_numbers(plain)) > _MOST_NUMBERS:
        raise RecordError(f"{what} has a list of {len(plain)} numbers; {_MOST_NUMBERS} pass.")
    for each in plain.values() if isinstance(plain, Mapping) else plain:
        _check_depth(each, what, left - 1)


def _leaves(plain: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield (dotted name, value) of all that is no object and no list."""
    if isinstance(plain, Mapping):
        for name, value in plain.items():
            yield from _leaves(value, f"{path}.{name}" if path else str(name))
    elif isinstance(plain, list | tuple):
        for value in plain:
            yield from _leaves(value, path)
    else:
        yield path, plain


def _check_leaf(path: str, value: Any, what: str) -> None:
    if isinstance(value, str) and len(value) > _MOST_CHARACTERS:
        raise RecordError(f"{what}: {path[:80]} has {len(value):,} characters.")
    # The positions of classes among many, and names by position, are no sizes.
    if isinstance(value, bool | str) or value is None or "label2id" in path:
        return
    most = next((most for word, most in _MOST_BY_WORD if word in path.split(".")[-1]), _MOST)
    if isinstance(value, float) and not math.isfinite(value):
        raise RecordError(f"{what}: {path[:80]} is no number.")
    if isinstance(value, int) and abs(value) > most:
        raise RecordError(
            f"{what}: {path[:80]} is {_short(value)}; networks of up to {most:,} are built."
        )


def _check_layers(plain: Mapping[str, Any], what: str) -> None:
    words = ("layers", "depth", "blocks")
    layers = [
        value
        for path, value in _leaves(plain, "")
        if isinstance(value, int) and any(word in path.split(".")[-1] for word in words)
    ]
    if sum(layers) > _MOST_LAYERS:
        raise RecordError(
            f"{what} names {sum(layers):,} layers in all; networks of up to {_MOST_LAYERS:,} "
            "are built."
        )


def _check_places(plain: Mapping[str, Any], what: str) -> None:
    """Bound the places that a picture, or a clip, is cut into, times the numbers of each."""
    image, patch = _largest(plain.get("image_size")), _smallest(plain.get("patch_size"))
    if image is None or patch is None:
        return
    frames = _largest(plain.get("num_frames")) or 1
    numbers = _largest(plain.get("hidden_size")) or _largest(plain.get("embed_dim")) or 1
    if frames * (image // max(patch, 1)) ** 2 * numbers > _MOST_IN_PLACES:
        raise RecordError(
            f"{what}: image_size {image} in patches of {patch} is more than networks are built for."
        )


def _numbers(value: Any) -> list[int]:
    values = value if isinstance(value, list | tuple) else [value]
    return [each for each in values if isinstance(each, int) and not isinstance(each, bool)]


def _largest(value: Any) -> int | None:
    return max(_numbers(value), default=None)


def _smallest(value: Any) -> int | None:
    return min(_numbers(value), default=None)


def _short(value: int) -> str:
    return f"{value:,}" if abs(value) < 10**15 else "a number of many digits"
