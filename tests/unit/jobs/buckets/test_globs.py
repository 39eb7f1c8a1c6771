"""Globs choose keys, in time that no glob can stretch."""

import time

import pytest

from jobs.buckets.globs import LONGEST_GLOB, chooser


@pytest.mark.parametrize(
    ("glob", "name", "matches"),
    [
        ("*.jpg", "a.jpg", True),
        ("*.jpg", "a/b/c.jpg", True),
        ("*.jpg", "a.jpg.txt", False),
        ("*.jpg", "a.JPG", False),
        ("2026/*.jpg", "2026/a.jpg", True),
        ("2026/*.jpg", "2026/05/a.jpg", False),
        ("2026/**/*.jpg", "2026/a.jpg", True),
        ("2026/**/*.jpg", "2026/05/06/a.jpg", True),
        ("2026/**/*.jpg", "12026/05/a.jpg", False),
        ("**/cats/**", "a/cats/b/c.jpg", True),
        ("**/cats/**", "cats/c.jpg", True),
        ("**/cats/**", "catsX/c.jpg", False),
        ("/a.jpg", "a.jpg", True),
        ("?.jpg", "a.jpg", True),
        ("?.jpg", "ab.jpg", False),
        ("[ab].jpg", "b.jpg", True),
        ("[!ab].jpg", "b.jpg", False),
        ("[ab.jpg", "[ab.jpg", True),
        ("[z-a].jpg", "a.jpg", False),
        ("a.b", "axb", False),
    ],
)
def test_a_glob_matches(glob: str, name: str, matches: bool) -> None:
    assert chooser([glob], [])(name) is matches


def test_a_key_has_to_be_included_by_one_and_excluded_by_none() -> None:
    chooses = chooser(["*.jpg", "*.png"], ["thumbs/**", "*_small.*"])
    names = ["a.jpg", "b/a.png", "a.gif", "thumbs/a.jpg", "b/a_small.jpg"]
    assert [name for name in names if chooses(name)] == ["a.jpg", "b/a.png"]
    assert chooser([], [])("anything")


@pytest.mark.parametrize("glob", ["*a" * 250 + "b", "**/" * 170 + "b", "*/" * 250 + "b"])
def test_no_glob_takes_long(glob: str) -> None:
    assert len(glob) <= LONGEST_GLOB
    chooses = chooser([glob], [])
    start = time.process_time()
    assert not chooses("a" * 1024)
    assert not chooses("a/" * 511 + "a")
    assert time.process_time() - start < 5
