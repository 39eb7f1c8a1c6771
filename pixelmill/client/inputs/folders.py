"""A folder's files, one after the other in the order of their paths, in bounded memory."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from pixelmill.client.inputs.skipping import NOT_A_FILE, OnSkip, reason_to_skip
from pixelmill.wire.errors import InvalidInput
from pixelmill.wire.tarstream import Entry


def absolute_path(path: Path) -> Path:
    """Give a path from the root on."""
    # Not resolve(): a symbolic link keeps the name by which the caller knows it.
    return Path(os.path.abspath(path))


def base_of(roots: tuple[Path, ...]) -> Path:
    """Give the folder that names are relative to: the deepest that holds all that was given."""
    absolute = [absolute_path(root) for root in roots]
    if len(absolute) == 1 and absolute[0].is_dir():
        return absolute[0]
    try:
        return Path(os.path.commonpath([path.parent for path in absolute]))
    except ValueError as err:
        raise InvalidInput("the inputs lie on different drives; submit one job each.") from err


def entries_of(root: Path, base: Path, skip: OnSkip) -> Iterator[Entry]:
    """Give a file's entry, or those of a folder's files, named from `base` on."""
    absolute = absolute_path(root)
    if absolute.is_dir():
        told = _relative_to(base, skip)
        for path in _walk(absolute, (), told):
            yield Entry(_name(path, base), path)
    else:
        yield Entry(_name(absolute, base), absolute)


def _relative_to(base: Path, skip: OnSkip) -> Callable[[Path, str], None]:
    # Not every name of what stays here is text.
    return lambda path, reason: skip(
        os.fsencode(path.relative_to(base)).decode("utf-8", "replace"), reason
    )


def _walk(
    folder: Path, above: tuple[tuple[int, int], ...], skip: Callable[[Path, str], None]
) -> Iterator[Path]:
    """Give a folder's files, sorted by their whole relative path; holds one folder's names."""
    try:
        stat = folder.stat()
        with os.scandir(folder) as scan:
            found = sorted((_sorted_as(entry), entry.is_file()) for entry in scan)
    except OSError as err:
        raise InvalidInput(f"{folder} cannot be read: {err.strerror or err}.") from err
    here = (stat.st_dev, stat.st_ino)
    if here in above:
        raise InvalidInput(f"{folder} is a link to a folder around it; remove the link.")
    for key, is_file in found:
        is_folder = key.endswith("/")
        path = folder / key.rstrip("/")
        if reason := reason_to_skip(path.name, is_folder=is_folder):
            skip(path, reason)
        elif is_folder:
            yield from _walk(path, (*above, here), skip)
        elif is_file:
            yield path
        elif path.is_symlink():
            raise InvalidInput(f"{path} is no file that can be read: a broken link?")
        else:
            skip(path, NOT_A_FILE)


def _sorted_as(entry: "os.DirEntry[str]") -> str:
    # The slash makes folders sort as their content does: "a.jpg" before "a/b.jpg".
    return entry.name + "/" * entry.is_dir()


def _name(path: Path, base: Path) -> str:
    name = path.relative_to(base).as_posix()
    try:
        name.encode()
    except UnicodeEncodeError as err:
        shown = os.fsencode(name)
        raise InvalidInput(f"{shown!r} is not valid UTF-8, so no result could carry it.") from err
    return name
