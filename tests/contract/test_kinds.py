"""Kinds of jobs stand in a room of their own, one a file; nobody else asks which a job is of."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.base.states import JobKind
from jobs.kinds.table import KINDS

ROOT = Path(__file__).parents[2]
PACKAGES = ("pixelmill", "api", "workers", "models", "jobs", "migrations")
# Where the words are defined, and what they mean.
THEIRS = ("jobs/kinds/", "jobs/base/states.py", "jobs/tables/")

NAMES = {kind.name for kind in JobKind}


def branches(source: str) -> Iterator[int]:
    """Give the lines that name a member of JobKind, or compare with one of the kinds."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in NAMES:
            if isinstance(node.value, ast.Name) and node.value.id == "JobKind":
                yield node.lineno
        elif isinstance(node, ast.Compare):
            sides = [each for part in (node.left, *node.comparators) for each in ast.walk(part)]
            if any(isinstance(each, ast.Name) and each.id in NAMES for each in sides):
                yield node.lineno


@pytest.mark.parametrize(
    "line",
    [
        "if job.kind is JobKind.SHADOW: pass",
        "chosen = {JobKind.RERUN: 1}[job.kind]",
        "if job.kind is SHADOW.word: pass",
        "if job.kind in (TRAINING.word, EVALUATION.word): pass",
        "if kind_of(job) is TRAINING: pass",
    ],
)
def test_a_branch_on_a_kind_is_found(line: str) -> None:
    assert list(branches(line))


def test_nobody_outside_their_room_branches_on_a_kind() -> None:
    found = [
        f"{name}:{line}"
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if not (name := str(path.relative_to(ROOT))).startswith(THEIRS)
        for line in branches(path.read_text())
    ]
    assert found == [], "ask the kind (jobs.kinds.kind), and say there what it does"


def test_each_kind_has_a_word_and_a_file_named_by_it() -> None:
    assert set(KINDS) == set(JobKind)
    files = {word: type(kind).__module__ for word, kind in KINDS.items()}
    assert files == {word: f"jobs.kinds.{word.value}" for word in JobKind}
