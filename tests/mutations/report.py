"""The page that says which fault is noticed by which test, written and read: docs/mutations.md.

It is the only record: a run that was broken off, or one in another clone, goes on from it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from tests.mutations.mutation import Mutation
from tests.mutations.results import Result, Verdict

_HEAD = """\
# Faults that tests must notice

`make mutations` plants each of these faults by itself in a private copy of the tree and runs the
tests that are named for it: one of them must go red. Before that all of them are green on the code
as it is. The faults stand in `tests/mutations/table`; a unit test checks that each still fits the
code. `make mutations ARGS="lease fence"` tries those that are about both words, `--missing` those
that were not noticed yet. This page is the record: a run goes on from what stands here.
"""
_NOT_RUN = "*not run*"
_OF_RED = re.compile(r"`(?P<file>[^`]+)` (?P<name>[^(]+?)(?P<remark> \(.+)?")


def report(tried: Mapping[Mutation, Result | None]) -> str:
    """Write the document: how many were noticed, and a line for each."""
    count = Counter(result.verdict if result else "not run" for result in tried.values())
    summary = ", ".join(f"{number} {verdict}" for verdict, number in count.most_common())
    rows = [_row(mutation, result) for mutation, result in tried.items()]
    head = (
        "| file | change | why it matters | the test that went red | day |\n|---|---|---|---|---|"
    )
    return "\n".join((_HEAD, f"Of {len(tried)}: {summary}.", "", head, *rows, ""))


def read(page: str, mutations: Iterable[Mutation]) -> dict[Mutation, Result | None]:
    """Give each mutation with its result on a page, None where it was not tried as it is now."""
    rows = page.splitlines()
    return {each: _result(rows, _begin(each)) for each in mutations}


def _row(mutation: Mutation, result: Result | None) -> str:
    if result is None:
        outcome, day = _NOT_RUN, ""
    elif result.verdict is Verdict.RED:
        outcome, day = _test(result.detail), result.day
    else:
        outcome, day = f"**{result.verdict}**", result.day
    return f"{_begin(mutation)} {mutation.why} | {outcome} | {day} |"


def _begin(mutation: Mutation) -> str:
    """Give what a mutation's row begins with, which no other's does."""
    return f"| `{mutation.file}` | {_code(mutation.was)} → {_code(mutation.becomes)} |"


def _result(rows: Iterable[str], begin: str) -> Result | None:
    row = next((row for row in rows if row.startswith(begin)), None)
    if row is None:
        return None
    _, outcome, day, _ = row.rsplit("|", 3)
    outcome, day = outcome.strip(), day.strip()
    if outcome == _NOT_RUN:
        return None
    if red := _OF_RED.fullmatch(outcome):
        name = f"test_{red['name'].replace(' ', '_')}{red['remark'] or ''}"
        return Result(Verdict.RED, f"{red['file']}::{name}", day)
    return Result(Verdict(outcome.strip("*")), "", day)


def _test(detail: str) -> str:
    """Write a test's id, by its file and its name."""
    file, _, name = detail.partition("::")
    test, _, remark = name.partition(" ")
    return f"`{file}` {test.removeprefix('test_').replace('_', ' ')} {remark}".strip()


def _code(text: str) -> str:
    """Write a piece of code on one line of a table."""
    line = " ".join(text.split()).replace("|", "\\|")
    return f"`{line}`" if line else "*nothing*"
