"""Planting mutations one at a time, in a copy of the tree that nobody else reads."""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.mutations.mutation import DoesNotApply, Mutation
from tests.mutations.results import Result, Verdict
from tests.mutations.warm import pytest_in_a_fork

ROOT = Path(__file__).parents[2]
# Half of a short run is the loading of plugins, which these tests do without.
_PLUGINS = ("-p", "pytest_timeout", "-p", "anyio", "-p", "no:cacheprovider")
# A fault may make a test wait for ever, which is red too.
_TEST_S, _RUN_S = 300, 1800
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+::[^\s\[]+)", re.MULTILINE)
_SOME_FAILED = 1


def copied_tree(room: Path) -> Path:
    """Copy what is committed, or would be, to a folder; gives it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True,
    )  # fmt: skip
    copy = room / "tree"
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    return copy


def failing_without(tree: Path, mutations: Sequence[Mutation]) -> str:
    """Run the tests of all mutations on the code as it is; gives what pytest said if any failed.

    A test that is red anyway would notice every fault.
    """
    for database in sorted({mutation.database for mutation in mutations}):
        on_it = [mutation for mutation in mutations if mutation.database == database]
        tests = sorted({test for mutation in on_it for test in mutation.red})
        status, output = _run_tests(tree, tests, database, "--maxfail=20")
        if status != 0:
            return output or f"pytest ended with {status} and said nothing"
    return ""


def run(tree: Path, mutation: Mutation) -> Result:
    """Plant a mutation, run its tests, take it out again."""
    try:
        with _planted(tree, mutation):
            status, output = _run_tests(tree, mutation.red, mutation.database, "-x")
    except DoesNotApply as err:
        return Result.of_today(Verdict.NOT_FOUND, str(err))
    failed = _FAILED.search(output)
    if status == _SOME_FAILED and failed:
        late = f" (no end after {_TEST_S} s)" if "Timeout (>" in output else ""
        return Result.of_today(Verdict.RED, failed[1] + late)
    if status == 0:
        return Result.of_today(Verdict.SURVIVED, "no test noticed")
    ended = "did not end" if status is None else f"ended with {status}"
    return Result.of_today(Verdict.UNCLEAR, f"pytest {ended}: {output[-300:]}")


@contextmanager
def _planted(tree: Path, mutation: Mutation) -> Iterator[None]:
    path = tree / mutation.file
    mutated, sound = mutation.applied_to(tree), path.read_text()
    compile(mutated, mutation.file, "exec")
    _write(path, mutated)
    try:
        yield
    finally:
        _write(path, sound)


def _write(path: Path, text: str) -> None:
    """Write a module, and forget its bytecode: the old one would pass within the same second."""
    path.write_text(text)
    Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)


def _run_tests(
    tree: Path, tests: Sequence[str], database: str, until: str
) -> tuple[int | None, str]:
    """Run tests in the tree; gives pytest's exit status and output."""
    options = (*_PLUGINS, "-q", until, "--no-header", "--tb=line", "-o", f"timeout={_TEST_S}")
    variables = {
        "PYTHONPATH": str(tree),
        "PIXELMILL_TEST_DATABASES": database,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    return pytest_in_a_fork(tree, [*options, *tests], variables, _RUN_S)
