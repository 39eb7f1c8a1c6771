"""What a caller may hand to `submit`, and how each kind reaches the server.

archive or JSONL file        ──► uploaded as it is
folder, image, list of these ──► uploaded as a tar that is made on the way
list of URLs                 ──► `urls`
list of request dicts        ──► `requests`
File (uploaded before)       ──► `input_file_id`
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelmill.errors import InvalidInput
from pixelmill.records import File
from pixelmill.tarstream import Entry

PathLike = str | os.PathLike[str]
Request = Mapping[str, Any]
Inputs = PathLike | File | Request | Sequence[PathLike] | Sequence[Request]

IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jp2", ".png", ".bmp", ".dib", ".webp", ".gif", ".tif", ".tiff")
) | {".pbm", ".pgm", ".ppm", ".pnm", ".avif"}
VIDEO_SUFFIXES = frozenset((".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg"))
MEDIA_SUFFIXES = IMAGE_SUFFIXES | VIDEO_SUFFIXES
BATCH_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".jsonl", ".ndjson")

_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Upload:
    """One file that the server can take as it is: an archive or a JSONL manifest."""

    path: Path


@dataclass(frozen=True, slots=True)
class Gathered:
    """Folders and images that go as one tar; the walk begins anew with each iteration."""

    roots: tuple[Path, ...]

    def __iter__(self) -> Iterator[Entry]:
        """Give each image's entry: a folder's in sorted order, a list's in the list's order."""
        base = _base(self.roots)
        for root in self.roots:
            yield from _entries(root, base)


@dataclass(frozen=True, slots=True)
class Listed:
    """Inputs that travel inside the submission: its member and that member's value."""

    member: str
    value: Any


Plan = Upload | Gathered | Listed


def plan_inputs(inputs: Inputs) -> Plan:
    """Say how `inputs` reach the server; raises InvalidInput if they cannot."""
    if isinstance(inputs, File):
        return Listed("input_file_id", inputs.id)
    alone = isinstance(inputs, str | os.PathLike | Mapping)
    things: list[Any] = [inputs] if alone else list(inputs)  # type: ignore[arg-type]  # a sequence
    if not things:
        raise InvalidInput("the list of inputs is empty; give at least one image, URL or request.")
    if all(isinstance(thing, Mapping) for thing in things):
        return Listed("requests", things)
    for position, thing in enumerate(things):
        if not isinstance(thing, str | os.PathLike):
            raise InvalidInput(
                f"input {position} is a {type(thing).__name__}; all inputs must be paths, all URLs "
                "or all request dicts."
            )
    return _plan_names([os.fspath(thing) for thing in things])


def is_url(name: str) -> bool:
    """Whether a name is a URL and not a path."""
    return _URL.match(name) is not None


def _plan_names(names: list[str]) -> Plan:
    urls = [name for name in names if is_url(name)]
    if urls and len(urls) < len(names):
        raise InvalidInput(f"{urls[0]} is a URL but others are paths; submit them as two jobs.")
    if urls:
        return Listed("urls", urls)
    paths = [Path(name) for name in names]
    for path in paths:
        _check_path(path, alone=len(paths) == 1)
    if len(paths) == 1 and paths[0].is_file() and _is_batch(paths[0]):
        return Upload(paths[0])
    _check_distinct(paths)
    gathered = Gathered(tuple(paths))
    if next(iter(gathered), None) is None:
        raise InvalidInput(
            f"{', '.join(names[:3])} holds no image and no video; looked, in its subfolders too, "
            f"for {' '.join(sorted(MEDIA_SUFFIXES))}."
        )
    return gathered


def _check_path(path: Path, *, alone: bool) -> None:
    if not path.exists():
        raise InvalidInput(f"{path} does not exist.")
    if path.is_dir() or _is_media(path.name):
        return
    if not _is_batch(path):
        raise InvalidInput(
            f"{path} is neither an image, nor a video, nor one of {' '.join(BATCH_SUFFIXES)}."
        )
    if not alone:
        raise InvalidInput(f"{path} is a batch of its own; submit it alone, as a job of its own.")


def _check_distinct(paths: list[Path]) -> None:
    # The same image twice would be one name for two results.
    seen: set[Path] = set()
    absolute = [_absolute(path) for path in paths]
    whole = set(absolute)
    for path in absolute:
        if path in seen:
            raise InvalidInput(f"{path} is given twice; give each input once.")
        if not whole.isdisjoint(path.parents):
            raise InvalidInput(f"{path} lies in a folder that is given as well; give one of them.")
        seen.add(path)


def _absolute(path: Path) -> Path:
    # Not resolve(): a symbolic link keeps the name by which the caller knows it.
    return Path(os.path.abspath(path))


def _base(roots: tuple[Path, ...]) -> Path:
    """Give the folder that names are relative to: the deepest that holds all that was given."""
    absolute = [_absolute(root) for root in roots]
    if len(absolute) == 1 and absolute[0].is_dir():
        return absolute[0]
    try:
        return Path(os.path.commonpath([path.parent for path in absolute]))
    except ValueError as err:
        raise InvalidInput("the inputs lie on different drives; submit one job each.") from err


def _entries(root: Path, base: Path) -> Iterator[Entry]:
    absolute = _absolute(root)
    if absolute.is_dir():
        for path in _walk(absolute, ()):
            yield Entry(_name(path, base), path)
    else:
        yield Entry(_name(absolute, base), absolute)


def _walk(folder: Path, above: tuple[tuple[int, int], ...]) -> Iterator[Path]:
    """Give a folder's images, sorted by their whole relative path; holds one folder's names."""
    try:
        stat = folder.stat()
        with os.scandir(folder) as scan:
            found = [(e.name + "/" * e.is_dir(), e.is_file()) for e in scan if e.name[0] != "."]
    except OSError as err:
        raise InvalidInput(f"{folder} cannot be read: {err.strerror or err}.") from err
    here = (stat.st_dev, stat.st_ino)
    if here in above:
        raise InvalidInput(f"{folder} is a link to a folder around it; remove the link.")
    # The slash makes folders sort as their content does: "a.jpg" before "a/b.jpg".
    for name, is_file in sorted(found):
        if name.endswith("/"):
            yield from _walk(folder / name, (*above, here))
        elif _is_media(name):
            if not is_file:
                raise InvalidInput(f"{folder / name} is no file that can be read: a broken link?")
            yield folder / name


def _name(path: Path, base: Path) -> str:
    name = path.relative_to(base).as_posix()
    try:
        name.encode()
    except UnicodeEncodeError as err:
        shown = os.fsencode(name)
        raise InvalidInput(f"{shown!r} is not valid UTF-8, so no result could carry it.") from err
    return name


def _is_media(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in MEDIA_SUFFIXES


def _is_batch(path: Path) -> bool:
    return path.name.lower().endswith(BATCH_SUFFIXES)
