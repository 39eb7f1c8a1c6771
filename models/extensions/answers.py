"""Predictions of an operator's own function, held against the contract of its task.

What goes into results is what the task's schema says and nothing else, whoever put it together.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from pydantic import ValidationError

from models.answers.numbers import shortest
from models.contracts import contract_of
from models.extensions.architecture import Seen
from models.records.record import ModelRecord
from models.tasks.task import Predictions


def checked(record: ModelRecord, given: object, seen: Seen) -> Predictions:
    """Give one picture's predictions with the digits of a float32 and no more.

    Raises ValueError with a sentence that names the prediction, its member and what would be good.
    """
    if not isinstance(given, list):
        raise ValueError(f"gives {_kind(given)}; give a list of predictions, which may be empty")
    return [_checked(record, number, each, seen) for number, each in enumerate(given)]


def _checked(record: ModelRecord, number: int, given: object, seen: Seen) -> dict[str, Any]:
    at = f"prediction {number}"
    if not isinstance(given, dict):
        raise ValueError(f"{at} is {_kind(given)}; give a dict of the members of {record.task}")
    try:
        read = contract_of(record.task).prediction.model_validate(given, strict=True)
    except ValidationError as err:
        first = err.errors()[0]
        member = ".".join(map(str, first["loc"]))
        raise ValueError(f"{at}, `{member}`: {first['msg']} ({_shown(first['input'])})") from err
    plain = _plain(read.model_dump(by_alias=True, exclude_unset=True), at)
    _check_members(given, plain, at)
    assert isinstance(plain, dict)
    _check_class(record, plain, at)
    size = plain.get("mask", {}).get("size")
    if size not in (None, [seen.height, seen.width]):
        raise ValueError(
            f"{at}, `mask.size` is {size}; it is the original's, {[seen.height, seen.width]}"
        )
    return plain


def _check_members(given: Any, known: Any, at: str) -> None:
    """Refuse members that the contract does not have, at any depth; raises ValueError."""
    if not isinstance(given, Mapping):
        return
    for name, value in given.items():
        if name not in known:
            raise ValueError(f"{at} has `{name}`, which is no member of it; leave it out")
        _check_members(value, known[name], f"{at}, `{name}`")


def _check_class(record: ModelRecord, plain: Mapping[str, Any], at: str) -> None:
    if "class_id" not in plain:
        return
    number = plain["class_id"]
    if number >= len(record.labels):
        raise ValueError(
            f"{at}, `class_id` is {number}, and there are {len(record.labels)} labels; it is the "
            "position of the class among them"
        )
    if plain["class"] != record.labels[number]:
        raise ValueError(
            f"{at}, `class` is {plain['class']!r}, and label {number} is "
            f"{record.labels[number]!r}; give the label of `class_id`"
        )


def _plain(value: Any, at: str) -> Any:
    """Give plain JSON data with short numbers; raises ValueError for what is not finite."""
    if isinstance(value, dict):
        return {name: _plain(each, f"{at}, `{name}`") for name, each in value.items()}
    if isinstance(value, list):
        if value and all(isinstance(each, float) for each in value):
            _check_finite(value, at)
            return shortest(torch.tensor(value, dtype=torch.float32))
        return [_plain(each, at) for each in value]
    if isinstance(value, float):
        _check_finite([value], at)
        return shortest(torch.tensor(value, dtype=torch.float32))
    return value


def _check_finite(numbers: Sequence[float], at: str) -> None:
    odd = next((each for each in numbers if not math.isfinite(each)), None)
    if odd is not None:
        raise ValueError(f"{at} is {odd}; answers are finite numbers")


def _kind(given: object) -> str:
    return "None" if given is None else f"a {type(given).__name__}"


def _shown(value: object) -> str:
    text = " ".join(repr(value).split())
    return f"it is {text if len(text) < 60 else text[:60] + '…'}"
