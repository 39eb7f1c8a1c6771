"""What a training framework puts before every name of a network's tensors: `model.`, `backbone.`.

A prefix is taken off where the network has all its names under it and nearly all of the file is
under it. Names that fit as they stand are left alone, so that a network whose own begin so keeps
them. Needs no torch.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import TypeVar

Value = TypeVar("Value")

# Of batch normalisation.
_COUNTER = "num_batches_tracked"


def without_prefix(tensors: Mapping[str, Value], wanted: Collection[str]) -> dict[str, Value]:
    """Give tensors by the names that a network has; as they were, where no prefix hides them all.

    `wanted` are the network's names; of these a file may lack what only training counts.
    """
    prefix = _prefix_of(tensors, [each for each in wanted if not each.endswith(_COUNTER)])
    if not prefix:
        return dict(tensors)
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


def names_ending(names: Iterable[str], name: str) -> list[str]:
    """List a tensor's names: its own alone if it is there, else those with something before it."""
    found = [each for each in names if each == name or each.endswith("." + name)]
    return [name] if name in found else found


def shared_beginning(names: Collection[str]) -> str:
    """Give what nearly all names begin with, up to a dot ("model.", "net.model."); "" for none."""
    beginning, rest = "", list(names)
    while rest:
        first, count = Counter(each.partition(".")[0] for each in rest).most_common(1)[0]
        inner = [each[len(first) + 1 :] for each in rest if each.startswith(first + ".")]
        # A network of several parts; of one part alone names go on being shared to the end.
        if first.isdecimal() or len(inner) < count or not _are_few(len(names) - count, len(names)):
            break
        beginning, rest = f"{beginning}{first}.", inner
    return beginning


def _prefix_of(names: Collection[str], wanted: Collection[str]) -> str:
    missing = next((each for each in wanted if each not in names), None)
    if missing is None:
        return ""
    for name in names_ending(names, missing):
        prefix = name.removesuffix(missing)
        others = sum(not each.startswith(prefix) for each in names)
        if _are_few(others, len(names)) and all(prefix + each in names for each in wanted):
            return prefix
    return ""


def _are_few(others: int, names: int) -> bool:
    """Say whether these may lie beside a network: the weights of a loss, a metric's counts."""
    return others <= max(2, names // 10) and others * 4 <= names
