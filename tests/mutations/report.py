"""Writing down which fault is noticed by which test: docs/mutations.md."""

from collections import Counter
from collections.abc import Sequence

from tests.mutations.mutation import Mutation
from tests.mutations.results import Result, Verdict

_HEAD = """\
# Faults that tests must notice

`make mutations` plants each of these faults by itself in a private copy of the tree and runs the
tests that are named for it: one of them must go red. Before that all of them are green on the code
as it is. The faults stand in `tests/mutations/table`; a unit test checks that each still fits the
code. `make mutations ARGS="lease fence"` tries those that are about both words.
"""


def report(tried: Sequence[tuple[Mutation, Result | None]]) -> str:
    """Write the document: how many were noticed, and a line for each."""
    count = Counter(result.verdict if result else "not run" for _, result in tried)
    summary = ", ".join(f"{number} {verdict}" for verdict, number in count.most_common())
    rows = [_row(mutation, result) for mutation, result in tried]
    head = (
        "| file | change | why it matters | the test that went red | day |\n|---|---|---|---|---|"
    )
    return "\n".join((_HEAD, f"Of {len(tried)}: {summary}.", "", head, *rows, ""))


def _row(mutation: Mutation, result: Result | None) -> str:
    change = f"{_code(mutation.was)} → {_code(mutation.becomes)}"
    if result is None:
        outcome, day = "*not run*", ""
    elif result.verdict is Verdict.RED:
        outcome, day = _test(result.detail), result.day
    else:
        outcome, day = f"**{result.verdict}**", result.day
    return f"| `{mutation.file}` | {change} | {mutation.why} | {outcome} | {day} |"


def _test(detail: str) -> str:
    """Write a test's id, by its file and its name."""
    file, _, name = detail.partition("::")
    test, _, remark = name.partition(" ")
    return f"`{file}` {test.removeprefix('test_').replace('_', ' ')} {remark}".strip()


def _code(text: str) -> str:
    """Write a piece of code on one line of a table."""
    line = " ".join(text.split()).replace("|", "\\|")
    return f"`{line}`" if line else "*nothing*"
