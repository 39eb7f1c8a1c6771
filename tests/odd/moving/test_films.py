"""Odd films give their own frames, upright, at their times, or a clear error."""

from pathlib import Path

import pytest

from tests.odd.children import hashes_in_children
from tests.odd.moving.film_table import FILMS, GROUPS
from tests.odd.moving.film_verdicts import fault, read_film
from tests.odd.moving.films import REGULAR, OddFilm, make_films


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, OddFilm]:
    return {odd.name: odd for odd in make_films(tmp_path_factory.mktemp("films"))}


@pytest.mark.parametrize("group", GROUPS)
def test_every_odd_film_gives_its_frames_or_its_error(group: str, films) -> None:
    faults = [told for name in GROUPS[group] if (told := fault(films[name])) is not None]
    assert not faults, "\n".join(faults)


def test_there_are_enough_of_them() -> None:
    assert len(FILMS) >= 60


def test_what_memory_held_before_changes_no_frame(films: dict[str, OddFilm]) -> None:
    folder = films["h264.mp4"].path.parent
    first, second = hashes_in_children("films", folder)
    assert len(first) >= 60
    assert {name for name in first if first[name] != second.get(name)} == set()


def test_a_film_whose_frames_are_another_film_would_be_seen(films, tmp_path: Path) -> None:
    second = films["h264.mp4"].path.parent / "second.mp4"
    swapped = OddFilm("second", second, FILMS["h264.mp4"])
    assert fault(swapped) is not None
    assert [number for _, number in read_film(swapped)[0]] == [n + 30 for _, n in REGULAR]
