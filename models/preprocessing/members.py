"""What a record's `preprocess` may hold: refusals of members that are unknown, or not there.

Each form of preparation is a dataclass of its own, whose fields are the members.
"""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from torchvision.transforms import InterpolationMode

from models.records.errors import RecordError

MODES = ("bilinear", "bicubic", "nearest", "lanczos")


def check_members(plain: Mapping[str, Any], form: type, of: str) -> None:
    """Refuse members that `form`, a dataclass, lacks, and those that it needs where they miss.

    `of` says in words what is prepared so. Raises RecordError naming all of one kind.
    """
    possible = {each.name: each for each in fields(form)}
    unknown = [name for name in plain if name not in possible]
    if unknown:
        raise RecordError(
            f"The record's preprocess has {_listed(unknown)}, which is not for {of}: there are "
            f"{', '.join(possible)}.",
            param=f"preprocess.{unknown[0]}",
        )
    needed = [
        name
        for name, each in possible.items()
        if each.default is MISSING and each.default_factory is MISSING
    ]
    missing = [name for name in needed if name not in plain]
    if missing:
        raise RecordError(
            f"The record's preprocess lacks {_listed(missing)}: {of} need "
            f"{', '.join(needed)}. Give all of them, or no preprocess where the model says it.",
            param="preprocess",
        )


def mode_of(plain: Mapping[str, Any]) -> InterpolationMode:
    """Read `interpolation`, by default bilinear; raises RecordError for one that is not known."""
    name = plain.get("interpolation", "bilinear")
    if name not in MODES:
        raise RecordError(
            f"The record's preprocess.interpolation is {name!r}; it must be one of "
            f"{', '.join(map(repr, MODES))}.",
            param="preprocess.interpolation",
        )
    return InterpolationMode(name)


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
