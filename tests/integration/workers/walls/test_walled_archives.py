"""Archives read behind walls give what they give in this process; what breaks one is told."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.archives import ArchiveError, ArchiveKind, Limits, sniff_file
from jobs.inputs.archive_items import IN_PROCESS, Archives
from tests.odd.packed import archives as odd
from tests.odd.packed.tars import END, entry
from workers.walls.archives import WalledArchives
from workers.walls.processes import ForkServer

CASES = Path("tests/cases/media")
LIMITS = Limits()


@pytest.fixture(scope="module")
def walled() -> Iterator[WalledArchives]:
    server = ForkServer()
    yield WalledArchives(server, 512 * 2**20)
    server.close()


def found(archives: Archives, data: bytes, beat: Callable[[], None] = lambda: None) -> list[Any]:
    """Give all that an archive holds, or its error."""
    kind: ArchiveKind = sniff_file(io.BytesIO(data))
    if kind == "other":
        return ["no archive"]
    try:
        if kind not in ("zip", "tar"):
            data = b"".join(archives.expand(kind, io.BytesIO(data), LIMITS, beat))
            kind = sniff_file(io.BytesIO(data))
        if kind != "tar" and kind != "zip":
            return [data]
        return list(archives.walk(kind, io.BytesIO(data), LIMITS, beat))
    except ArchiveError as err:
        return [err.code, str(err)]


@pytest.mark.parametrize("path", sorted(CASES.iterdir()), ids=lambda path: path.name)
def test_what_people_sent_is_found_as_without_walls(walled: WalledArchives, path: Path) -> None:
    assert found(walled, path.read_bytes()) == found(IN_PROCESS, path.read_bytes())


@pytest.mark.parametrize("family", odd.FAMILIES)
def test_odd_archives_are_found_as_without_walls(walled: WalledArchives, family: str) -> None:
    for each in odd.archives_of(family):
        assert found(walled, each.data) == found(IN_PROCESS, each.data), each.name


def test_progress_is_what_is_read(walled: WalledArchives) -> None:
    beats: list[int] = []
    large = b"".join(entry(f"{n}.png", b"0", data=bytes(2**20)) for n in range(8)) + END
    assert len(found(walled, large, lambda: beats.append(1))) == 8
    assert len(beats) > 8


def test_small_members_are_asked_for_many_at_a_time(walled: WalledArchives) -> None:
    beats: list[int] = []
    small = b"".join(entry(f"{n}.png", b"0", data=b"a") for n in range(2000)) + END
    assert len(found(walled, small, lambda: beats.append(1))) == 2000
    assert len(beats) < 40


def test_whoever_goes_away_in_the_middle_leaves_no_process(walled: WalledArchives) -> None:
    data = (CASES / "concatenated.tar").read_bytes()
    walk = walled.walk("tar", io.BytesIO(data), LIMITS, lambda: None)
    next(walk)
    walk.close()  # type: ignore[attr-defined]
    assert len(found(walled, data)) == 4


@pytest.mark.parametrize("trick", ["crash", "burst", "lie"])
def test_an_archive_that_breaks_its_reader_is_told(trick: str) -> None:
    server = ForkServer("tests.integration.workers.walls.hostile")
    archives = WalledArchives(server, 256 * 2**20)
    with pytest.raises(ArchiveError) as caught:
        list(archives.walk("zip", io.BytesIO(b"trick:" + trick.encode()), LIMITS, lambda: None))
    assert caught.value.code == ("archive_too_large" if trick == "burst" else "corrupt_archive")
    server.close()
