"""What an exporter wrote beside the network: Ultralytics says names, task and size. No torch.

Values are Python's literals as text, and strangers wrote them: they are bounded before they are
parsed, and nothing but literals is.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from models.onnx_models.reading.shapes import Size
from models.records.errors import RecordError

# Characters of one value: ten thousand names of ten characters and their numbers.
_LONGEST: Final = 200_000
_LONGEST_LABEL: Final = 200
_LARGEST_SIDE: Final = 8192
_TASKS: Final[Mapping[str, str]] = {
    "detect": "detection",
    "segment": "segmentation",
    "classify": "classification",
}


@dataclass(frozen=True, slots=True)
class Metadata:
    """What was found; None and empty where nothing was.

    ultralytics: whether Ultralytics exported the file. size: (height, width) of the input.
    provenance: `author` and `license`, where they are told.
    """

    ultralytics: bool = False
    labels: tuple[str, ...] = ()
    task: str | None = None
    size: Size | None = None
    description: str = ""
    provenance: Mapping[str, str] = field(default_factory=dict)


def read_metadata(told: Mapping[str, str]) -> Metadata:
    """Read `metadata_props`; raises RecordError naming the entry that cannot be used."""
    ultralytics = told.get("author", "").lower() == "ultralytics" or (
        {"names", "task", "stride"} <= set(told)
    )
    if not ultralytics:
        return Metadata(
            labels=_labels(told["names"]) if "names" in told else (),
            description=_line(told.get("description", "")),
            provenance=_provenance(told),
        )
    return Metadata(
        ultralytics=True,
        labels=_labels(told["names"]) if "names" in told else (),
        task=_task(told["task"]) if "task" in told else None,
        size=_size(told["imgsz"]) if "imgsz" in told else None,
        description=_line(told.get("description", "")),
        provenance=_provenance(told),
    )


def _task(text: str) -> str:
    if text not in _TASKS:
        raise RecordError(
            f"The file's metadata says task {text[:40]!r}, and only {', '.join(_TASKS)} are read "
            "here: export a network of one of these."
        )
    return _TASKS[text]


def _labels(text: str) -> tuple[str, ...]:
    """Read {0: 'person', 1: …}, or a list of names."""
    names = _literal("names", text)
    if isinstance(names, dict) and sorted(names, key=str) == sorted(range(len(names)), key=str):
        names = [names[number] for number in range(len(names))]
    if not isinstance(names, list) or not all(_is_label(each) for each in names):
        raise RecordError(
            "The file's metadata has `names` that cannot be used: {0: 'person', 1: 'dog'} was "
            "expected, numbered from 0; give the labels with --labels (labels)."
        )
    return tuple(names)


def _is_label(name: object) -> bool:
    return isinstance(name, str) and 0 < len(name) <= _LONGEST_LABEL


def _size(text: str) -> Size:
    size = _literal("imgsz", text)
    sides = [size, size] if isinstance(size, int) else size
    if not isinstance(sides, list) or len(sides) != 2 or not all(map(_is_side, sides)):
        raise RecordError(
            f"The file's metadata has `imgsz` {text[:40]!r} and [height, width] was expected: give "
            "the size in the record's preprocess."
        )
    return sides[0], sides[1]


def _is_side(side: object) -> bool:
    return type(side) is int and 1 <= side <= _LARGEST_SIDE


def _literal(name: str, text: str) -> Any:
    if len(text) > _LONGEST:
        raise RecordError(
            f"The file's metadata has {len(text):,} characters of `{name}`, and {_LONGEST:,} are "
            "read at most."
        )
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as err:
        raise RecordError(
            f"The file's metadata has `{name}` {text[:40]!r}, which is no Python literal."
        ) from err


def _provenance(told: Mapping[str, str]) -> dict[str, str]:
    return {name: _line(told[name]) for name in ("license", "author") if told.get(name)}


def _line(text: str) -> str:
    return " ".join(text[:1000].split())
