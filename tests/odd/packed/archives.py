"""All odd archives: what each holds, by construction, and whether it is read as that."""

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

import numpy as np

from jobs.archives import ArchiveError, Limits, Member, Skipped, expand, extract, sniff_file, walk

MIB = 1024 * 1024
LIMITS = Limits()


@dataclass(frozen=True)
class OddArchive:
    """An archive and what walking and extracting it must give.

    members: name and content in order; None for content is an item that is an error, and None for
    a name is any name of its own. skipped: the names that are told to be skipped. error: the code
    that the archive as a whole must come to ("" is any). may_refuse: an error is right too.
    """

    name: str
    data: bytes
    members: tuple[tuple[str | None, bytes | None], ...] = ()
    skipped: tuple[str, ...] = ()
    error: str | None = None
    may_refuse: bool = False


def content(name: str, size: int = 700) -> bytes:
    """Give the bytes that a file of a name holds, unlike those of every other."""
    return np.random.default_rng(list(name.encode())).bytes(size)


def files(*names: str) -> dict[str, bytes]:
    """Give files by name, each with its content; no two are of one size."""
    return {name: content(name, 500 + 37 * place) for place, name in enumerate(names)}


THREE = files("one.png", "folder/two.jpg", "folder/deep/three.webp")


@dataclass(frozen=True)
class Found:
    """What was read of an archive: members with their content (None for an error), and skips."""

    members: tuple[tuple[str, bytes | None], ...]
    skipped: tuple[str, ...]


def read_archive(data: bytes) -> Found:
    """Walk an archive and extract every member; raises ArchiveError for the whole."""
    kind = sniff_file(io.BytesIO(data))
    if kind == "other":
        raise ArchiveError("unsupported_archive", "This is no archive.")
    if kind not in ("zip", "tar"):
        data = b"".join(expand(kind, io.BytesIO(data), LIMITS))
        kind = sniff_file(io.BytesIO(data))
        if kind not in ("zip", "tar"):
            raise ArchiveError("unsupported_archive", "There is no tar in it.")
    members, skipped = [], []
    for each in walk(kind, io.BytesIO(data), LIMITS):
        if isinstance(each, Skipped):
            skipped.append(each.name)
        else:
            members.append((each.name, _extracted(data, each)))
    return Found(tuple(members), tuple(skipped))


def _extracted(data: bytes, member: Member) -> bytes | None:
    if member.fault is not None:
        assert member.fault[1].endswith("."), member.fault
        return None
    read = memoryview(data)[member.offset : member.offset + member.length]
    with suppress(ArchiveError):
        return extract(read, member.encoding, 8 * MIB, member.size)
    return None


def fault(odd: OddArchive) -> str | None:
    """Read an odd archive; gives what is wrong with the answer, None if it is right."""
    try:
        found = read_archive(odd.data)
    except ArchiveError as err:
        told = f"{odd.name}: {err.code} ({err})"
        if not str(err).endswith("."):
            return f"{told}: no sentence"
        if odd.error is None and not odd.may_refuse:
            return f"{told}, not {len(odd.members)} members"
        return f"{told}, not {odd.error!r}" if odd.error not in (None, "", err.code) else None
    if odd.error is not None:
        return f"{odd.name}: {len(found.members)} members, not {odd.error!r}"
    return _difference(odd, found)


def _difference(odd: OddArchive, found: Found) -> str | None:
    names = [name for name, _ in found.members]
    right = [
        own if name is None else name for (name, _), own in zip(odd.members, names, strict=False)
    ]
    if len(names) != len(odd.members) or names != right:
        return f"{odd.name}: {names}, not {[name for name, _ in odd.members]}"
    for (name, got), (_, wanted) in zip(found.members, odd.members, strict=True):
        if got != wanted:
            return f"{odd.name}: {name} has {_shown(got)}, not {_shown(wanted)}"
    if sorted(found.skipped) != sorted(odd.skipped):
        return f"{odd.name}: skipped {found.skipped}, not {odd.skipped}"
    return None


def _shown(data: bytes | None) -> str:
    return "an error" if data is None else f"{len(data)} bytes {data[:4].hex()}…"


def _families() -> Mapping[str, Callable[[], Iterator[OddArchive]]]:
    from tests.odd.packed.other_archives import other_archives
    from tests.odd.packed.tars import tars
    from tests.odd.packed.zips import zips

    return {"tar": tars, "zip": zips, "compressed and others": other_archives}


FAMILIES = ("tar", "zip", "compressed and others")


@cache
def archives_of(family: str) -> tuple[OddArchive, ...]:
    """Give the odd archives of a family; each is made once a process."""
    found = tuple(_families()[family]())
    assert len({each.name for each in found}) == len(found), f"{family}: two have one name"
    return found
