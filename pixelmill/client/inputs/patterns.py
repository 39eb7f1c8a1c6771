"""Patterns of paths, as in "photos/**/*.jpg", for who has no shell that writes them out."""

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pixelmill.client.inputs.skipping import reason_to_skip
from pixelmill.wire.errors import InvalidInput


class Chosen(NamedTuple):
    """Paths in the order of their names; and what a pattern fits that is no media, and why."""

    paths: tuple[Path, ...]
    passed_over: tuple[tuple[str, str], ...]


def fitting(names: Sequence[str]) -> Chosen:
    """Give the paths of names; a pattern's are sorted, and files where it fits any.

    A name that exists is no pattern, whatever its letters. Raises InvalidInput for a pattern that
    fits nothing.
    """
    paths: list[Path] = []
    passed_over: list[tuple[str, str]] = []
    for name in names:
        if not glob.has_magic(name) or Path(name).exists():
            paths.append(Path(name))
            continue
        for path in _fitting_one(name):
            if reason := reason_to_skip(path.name, is_folder=path.is_dir()):
                passed_over.append((path.as_posix(), reason))
            else:
                paths.append(path)
    if not paths:
        raise InvalidInput(f"{', '.join(names[:3])} fits no image and no video, but other files.")
    return Chosen(tuple(paths), tuple(passed_over))


def _fitting_one(pattern: str) -> list[Path]:
    found = [Path(name) for name in sorted(glob.glob(pattern, recursive=True))]
    if not found:
        raise InvalidInput(
            f"{pattern} fits no file; ** stands for folders of any depth, as in photos/**/*.jpg."
        )
    # Of `photos/**`, the files: their folders hold them again.
    return [path for path in found if path.is_file()] or found
