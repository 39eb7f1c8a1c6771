"""Names of classes, as a caller gives them. Needs no torch."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from models.records.errors import RecordError

# What torchvision's own lists call a place that no object has.
_NOBODY: Final = "N/A"
_SHOWN = 5


def check_labels(labels: Sequence[str], options: Mapping[str, Any]) -> None:
    """Refuse names that stand twice: an answer would not say which of them is meant.

    A Hugging Face folder's own names (`options.config`) may, for many networks of ImageNet have
    two of one name. Raises RecordError naming them, with their places.
    """
    repeated = [name for name, count in Counter(labels).items() if count > 1 and name != _NOBODY]
    if not repeated or list(labels) == _names_of_folder(options):
        return
    shown = "; ".join(
        f"{name!r} ({', '.join(_places(name, labels))})" for name in repeated[:_SHOWN]
    )
    more = f"; and {len(repeated) - _SHOWN} names more" if len(repeated) > _SHOWN else ""
    raise RecordError(
        f"`labels` has names that stand twice, counted from 0: {shown}{more}. An answer would not "
        "say which is meant: give each class a name of its own, such as 'crane (bird)'.",
        param="labels",
    )


def check_no_labels(labels: Sequence[str] | None, architecture: str, way: str = "") -> None:
    """Refuse names beside a network that gives vectors; `way` says how they would count.

    Raises RecordError.
    """
    # As such a model's own record has it, for a record has at least one.
    if labels and list(labels) != ["embedding"]:
        raise RecordError(
            f"{architecture} gives vectors, which have no classes: leave `labels` (--labels) out"
            f"{way and f', or {way}'}.",
            param="labels",
        )


def _places(name: str, labels: Sequence[str]) -> list[str]:
    return [str(place) for place, each in enumerate(labels) if each == name][:_SHOWN]


def _names_of_folder(options: Mapping[str, Any]) -> list[Any]:
    config = options.get("config")
    names = config.get("id2label") if isinstance(config, Mapping) else None
    if not isinstance(names, Mapping):
        return []
    return [names.get(str(number)) for number in range(len(names))]
