"""WebDataset: in a tar, files in a row that share a key are one sample.

    000017.jpg, 000017.cls, 000017.json  ─►  000017.jpg with {"cls": 3, "json": {…}}

The key is the path up to the first dot of its last part, the suffix is what follows that dot
(webdataset 0.2, `tariterators.base_plus_ext`). Small `.json`, `.cls` and `.txt` files are kept as
the metadata of the pictures and films beside them.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from jobs.archives.members import Limits, SkipReason
from jobs.archives.tar.headers import Entry

# Files in a row that are looked at together.
_MAX_GROUP = 64


@dataclass(slots=True)
class Listed:
    """An entry, by its shown name, and what is known of it so far."""

    name: str
    entry: Entry
    reason: SkipReason | None  # why it becomes no item, judged by its name
    payload: bytes | None = None  # of what may be a sidecar
    metadata: str | None = None


def may_be_sidecar(name: str) -> bool:
    """Whether a file may be a sidecar, by its name."""
    return name.rpartition(".")[2].lower() in _READERS


def with_metadata(listed: Iterable[Listed], limits: Limits) -> Iterator[Listed]:
    """Give the same entries in the same order, with the metadata of their sidecars."""
    group: list[Listed] = []
    key: str | None = None
    for each in listed:
        own = _split(each.name)[0]
        if own != key or len(group) == _MAX_GROUP:
            yield from _joined(group, limits)
            group, key = [], own
        group.append(each)
    yield from _joined(group, limits)


def _split(name: str) -> tuple[str, str]:
    folder, slash, last = name.rpartition("/")
    stem, _, suffix = last.partition(".")
    return folder + slash + stem, suffix


def _joined(group: list[Listed], limits: Limits) -> list[Listed]:
    samples = [each for each in group if each.reason is None]
    sidecars = [each for each in group if each.payload is not None]
    if samples and sidecars and _split(group[0].name)[0].rpartition("/")[2]:
        found: dict[str, Any] = {}
        text: str | None = None
        for each in sidecars:
            longer = _text_with(found, each, limits)
            if longer is not None:
                text, each.reason = longer, "sidecar"
        for each in samples:
            each.metadata = text
    for each in sidecars:
        each.payload = None
    return group


def _text_with(found: dict[str, Any], sidecar: Listed, limits: Limits) -> str | None:
    """The metadata with one sidecar more, as JSON; None where it is broken or too long."""
    suffix = _split(sidecar.name)[1]
    read = _READERS[suffix.rpartition(".")[2].lower()]
    try:
        more = {**found, suffix: read((sidecar.payload or b"").decode("utf-8-sig"))}
        text = json.dumps(more, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        if len(text.encode()) > limits.max_metadata_bytes:
            return None
    except (ValueError, RecursionError):  # no UTF-8, no JSON, not finite, half a surrogate
        return None
    found[suffix] = more[suffix]
    return text


def _class(text: str) -> Any:
    stripped = text.strip()
    return int(stripped) if stripped.isascii() and stripped.isdigit() else stripped


_READERS: dict[str, Callable[[str], Any]] = {"json": json.loads, "cls": _class, "txt": str}
