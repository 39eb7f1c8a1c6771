"""What a caller may hand to `submit`, and how each kind reaches the server.

archive or JSONL file        ──► uploaded as it is
folder, file, list of these  ──► uploaded as a tar that is made on the way (skipping)
list of URLs                 ──► `urls`
address of a bucket's folder ──► `prefix`; of a list in a bucket (.jsonl, .csv, .parquet) `manifest`
list of request dicts        ──► `requests`
File (uploaded before)       ──► `input_file_id`
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from pixelmill.client.inputs.skipping import (
    BATCH_SUFFIXES,
    NOT_A_FILE,
    NOT_MEDIA,
    OnSkip,
    SkipCount,
    Skipped,
    is_batch,
    reason_to_skip,
)
from pixelmill.client.records import File
from pixelmill.wire.errors import InvalidInput
from pixelmill.wire.tarstream import Entry

PathLike = str | os.PathLike[str]
Request = Mapping[str, Any]
Inputs = PathLike | File | Request | Sequence[PathLike] | Sequence[Request]

_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)

_BUCKETS = ("s3://", "gs://", "az://", "file://")
_LIST_SUFFIXES = (".jsonl", ".ndjson", ".csv", ".parquet")


@dataclass(frozen=True, slots=True)
class Upload:
    """One file that the server can take as it is: an archive or a JSONL manifest."""

    path: Path


@dataclass(frozen=True, slots=True)
class Gathered:
    """Folders and files that go as one tar; the walk begins anew with each iteration.

    `skips` has what the latest walk left out.
    """

    roots: tuple[Path, ...]
    skips: SkipCount = field(default_factory=SkipCount, compare=False)

    def __iter__(self) -> Iterator[Entry]:
        """Give each file's entry: a folder's in sorted order, a list's in the list's order."""
        base = _base(self.roots)
        self.skips.begin()
        for root in self.roots:
            yield from _entries(root, base, self.skips.note)


@dataclass(frozen=True, slots=True)
class Picked:
    """Files of a folder that go as one tar, chosen one by one; `skips` has what was not."""

    folder: Path
    entries: tuple[Entry, ...]
    skips: SkipCount = field(default_factory=SkipCount, compare=False)

    def __iter__(self) -> Iterator[Entry]:
        """Give each file's entry."""
        return iter(self.entries)


@dataclass(frozen=True, slots=True)
class Listed:
    """Inputs that travel inside the submission: its member and that member's value."""

    member: str
    value: Any


class Delivered(NamedTuple):
    """Inputs that the server has: the submission's member that names them, and what stayed here."""

    member: dict[str, Any]
    left_out: Skipped = Skipped()


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


def is_bucket(name: str) -> bool:
    """Whether a name is the address of a folder or object in a bucket that the server reads."""
    return name.lower().startswith(_BUCKETS)


def _plan_names(names: list[str]) -> Plan:
    if "" in names:
        # Path("") would be the working folder.
        raise InvalidInput(
            "one of the paths is empty: is a variable of your shell not set? The working folder is "
            "sent as '.'."
        )
    buckets = [name for name in names if is_bucket(name)]
    if buckets:
        if len(names) > 1:
            raise InvalidInput(f"{buckets[0]} is a bucket's; submit it alone, as a job of its own.")
        is_list = buckets[0].lower().endswith(_LIST_SUFFIXES)
        return Listed("manifest" if is_list else "prefix", buckets[0])
    urls = [name for name in names if is_url(name)]
    if urls and len(urls) < len(names):
        raise InvalidInput(f"{urls[0]} is a URL but others are paths; submit them as two jobs.")
    if urls:
        return Listed("urls", urls)
    paths = [Path(name) for name in names]
    for path in paths:
        _check_path(path, alone=len(paths) == 1)
    if len(paths) == 1 and paths[0].is_file() and is_batch(paths[0].name):
        return Upload(paths[0])
    _check_distinct(paths)
    gathered = Gathered(tuple(paths))
    if next(iter(gathered), None) is None:
        raise InvalidInput(
            f"{', '.join(names[:3])} holds no image and no video, in its subfolders neither; "
            f"{gathered.skips.total()}."
        )
    return gathered


def _check_path(path: Path, *, alone: bool) -> None:
    if not path.exists():
        raise InvalidInput(f"{path} does not exist.")
    if path.is_dir():
        return
    if is_batch(path.name):
        if not alone:
            raise InvalidInput(
                f"{path} is a batch of its own; submit it alone, as a job of its own."
            )
        return
    if reason_to_skip(path.name) == NOT_MEDIA:
        raise InvalidInput(
            f"{path} is neither an image, nor a video, nor one of {' '.join(BATCH_SUFFIXES)}."
        )
    if not path.is_file():
        raise InvalidInput(f"{path} is no file that can be read, but a device or a pipe.")


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


def _entries(root: Path, base: Path, skip: OnSkip) -> Iterator[Entry]:
    absolute = _absolute(root)
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
