"""What a caller may hand to `submit`, and how each kind reaches the server.

archive or JSONL file        ──► uploaded as it is
folder, file, list of these  ──► uploaded as a tar that is made on the way (folders, skipping)
pattern, as in "photos/*.jpg" ──► the same, of the files that it fits (patterns)
pictures in memory           ──► uploaded as a tar of PNG files (pictures)
data frame                   ──► its column of paths or URLs, as if these were listed (frames)
list of URLs                 ──► `urls`
address of a bucket's folder ──► `prefix`; of an archive in a bucket `archive`; of a list there
                                 (.jsonl, .csv, .parquet) `manifest`
list of request dicts        ──► `requests`
File (uploaded before)       ──► `input_file_id`
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, Union

from pixelmill.client.inputs.folders import absolute_path, base_of, entries_of
from pixelmill.client.inputs.frames import is_frame, paths_of
from pixelmill.client.inputs.patterns import fitting
from pixelmill.client.inputs.pictures import (
    NO_TENSOR,
    is_picture,
    is_stack,
    is_tensor,
    named,
    numbered,
)
from pixelmill.client.inputs.skipping import (
    BATCH_SUFFIXES,
    NOT_MEDIA,
    SkipCount,
    Skipped,
    is_batch,
    reason_to_skip,
)
from pixelmill.client.records import File
from pixelmill.wire.errors import InvalidInput
from pixelmill.wire.tarstream import Entry, Made

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PathLike = str | os.PathLike[str]
Request = Mapping[str, Any]


class PilImage(Protocol):
    """PIL's image, of the caller's own Pillow."""

    mode: str

    def save(self, fp: Any, format: str | None = None, **params: Any) -> None:  # noqa: A002  # PIL's
        """Write it."""


class Frame(Protocol):
    """A data frame of pandas, Polars or pyarrow."""

    @property
    def columns(self) -> Any:
        """The names of its columns, or these."""

    def __getitem__(self, key: Any, /) -> Any:
        """Give one column."""


# Arrays are uint8 of (h, w), or of (h, w, 1, 3 or 4) in RGB. NumPy is imported by who has one.
Picture: TypeAlias = Union["NDArray[np.uint8]", PilImage, bytes]
Several = Sequence[PathLike] | Sequence[Request] | Sequence[Picture]
Inputs = PathLike | File | Request | Picture | Several | Mapping[str, Picture] | Frame

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

    `skips` has what the latest walk left out, `passed_over` what was left out before.
    """

    roots: tuple[Path, ...]
    passed_over: tuple[tuple[str, str], ...] = ()
    skips: SkipCount = field(default_factory=SkipCount, compare=False)

    def __iter__(self) -> Iterator[Entry]:
        """Give each file's entry: a folder's in sorted order, a list's in the list's order."""
        base = base_of(self.roots)
        self.skips.begin()
        for name, reason in self.passed_over:
            self.skips.note(name, reason)
        for root in self.roots:
            yield from entries_of(root, base, self.skips.note)


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
class Drawn:
    """Pictures in memory that go as one tar; each is written when its turn comes."""

    pictures: tuple[Made, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """Inputs that travel inside the submission: its member and that member's value."""

    member: str
    value: Any


class Delivered(NamedTuple):
    """Inputs that the server has: the submission's member that names them, and what stayed here."""

    member: dict[str, Any]
    left_out: Skipped = Skipped()


Plan = Upload | Gathered | Drawn | Listed


def plan_inputs(inputs: Inputs, path_column: str | None = None) -> Plan:
    """Say how `inputs` reach the server; raises InvalidInput if they cannot.

    `path_column` is the one of a data frame that holds paths or URLs.
    """
    if isinstance(inputs, File):
        return Listed("input_file_id", inputs.id)
    is_table = is_frame(inputs)
    if is_frame(inputs):
        inputs = paths_of(inputs, path_column)
    elif path_column is not None:
        raise InvalidInput(f"path_column is for data frames; this is a {type(inputs).__name__}.")
    if isinstance(inputs, Mapping) and "input" not in inputs:
        return Drawn(named(inputs))
    things = _listed(inputs)
    if not things:
        raise InvalidInput("the list of inputs is empty; give at least one image, URL or request.")
    if all(isinstance(thing, Mapping) for thing in things):
        return Listed("requests", things)
    if all(is_picture(thing) for thing in things):
        return Drawn(numbered(things))
    for position, thing in enumerate(things):
        if is_tensor(thing):
            raise InvalidInput(f"input {position} is a tensor; {NO_TENSOR}.")
        if not isinstance(thing, str | os.PathLike):
            raise InvalidInput(
                f"input {position} is a {type(thing).__name__}; all inputs must be paths, all "
                "URLs, all pictures (uint8 arrays, PIL's images, bytes) or all request dicts."
            )
    return _plan_names([os.fspath(thing) for thing in things], are_rows=is_table)


def _listed(inputs: Any) -> list[Any]:
    """Give inputs as a list; raises InvalidInput for what holds none."""
    if isinstance(inputs, str | os.PathLike | Mapping):
        return [inputs]
    if is_picture(inputs) and not is_stack(inputs):
        return [inputs]
    if hasattr(inputs, "read"):
        raise InvalidInput("this is an open file; upload it first: submit(client.upload(file), …).")
    if is_tensor(inputs):
        raise InvalidInput(f"this is a tensor; {NO_TENSOR}.")
    try:
        return list(inputs)
    except TypeError as err:
        raise InvalidInput(
            f"a {type(inputs).__name__} is no input; give a path, URLs, pictures or a data frame."
        ) from err


def is_url(name: str) -> bool:
    """Whether a name is a URL and not a path."""
    return _URL.match(name) is not None


def is_bucket(name: str) -> bool:
    """Whether a name is the address of a folder or object in a bucket that the server reads."""
    return name.lower().startswith(_BUCKETS)


def _plan_names(names: list[str], *, are_rows: bool) -> Plan:
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
        return Listed(_bucket_member(buckets[0]), buckets[0])
    urls = [name for name in names if is_url(name)]
    if urls and len(urls) < len(names):
        raise InvalidInput(f"{urls[0]} is a URL but others are paths; submit them as two jobs.")
    if urls:
        return Listed("urls", urls)
    chosen = fitting(names)
    paths = list(chosen.paths)
    for path in paths:
        _check_path(path, alone=len(paths) == 1)
    if len(paths) == 1 and paths[0].is_file() and is_batch(paths[0].name):
        return Upload(paths[0])
    # A row that repeats is a result of its own, found by its index; the server numbers its name.
    if not are_rows:
        _check_distinct(paths)
    gathered = Gathered(tuple(paths), chosen.passed_over)
    if next(iter(gathered), None) is None:
        raise InvalidInput(
            f"{', '.join(names[:3])} holds no image and no video, in its subfolders neither; "
            f"{gathered.skips.total()}."
        )
    return gathered


def _bucket_member(address: str) -> str:
    """Say which member of a submission an address in a bucket is, by its name."""
    if address.lower().endswith(_LIST_SUFFIXES):
        return "manifest"
    return "archive" if is_batch(address.lower()) else "prefix"


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
    absolute = [absolute_path(path) for path in paths]
    whole = set(absolute)
    for path in absolute:
        if path in seen:
            raise InvalidInput(f"{path} is given twice; give each input once.")
        if not whole.isdisjoint(path.parents):
            raise InvalidInput(f"{path} lies in a folder that is given as well; give one of them.")
        seen.add(path)
