"""What became of mutations, kept line by line, so that a run can be broken off and gone on with."""

import datetime
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from tests.mutations.mutation import Mutation

KEPT = Path("build/mutations.jsonl")


class Verdict(StrEnum):
    """How a mutation ended; only RED is as it should be."""

    RED = "red"  # a test noticed it
    SURVIVED = "survived"  # none did
    NOT_FOUND = "not found"  # its text is not in the file any more
    UNCLEAR = "unclear"  # pytest ran no test, or did not come to its end


@dataclass(frozen=True, slots=True)
class Result:
    """One mutation that was tried; `detail` is the test that went red, or what happened instead."""

    file: str
    was: str
    becomes: str
    verdict: Verdict
    detail: str
    day: str

    @classmethod
    def of(cls, mutation: Mutation, verdict: Verdict, detail: str) -> "Result":
        """Make the result of a mutation that was tried today."""
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        return cls(mutation.file, mutation.was, mutation.becomes, verdict, detail, today)


def keep(result: Result, root: Path) -> None:
    """Add a result to those that were kept before."""
    (root / KEPT).parent.mkdir(exist_ok=True)
    with (root / KEPT).open("a") as file:
        file.write(json.dumps(asdict(result)) + "\n")


def latest(mutations: Iterable[Mutation], root: Path) -> list[tuple[Mutation, Result | None]]:
    """Give each mutation with its latest result, None where it was not yet tried as it is now."""
    lines = (root / KEPT).read_text().splitlines() if (root / KEPT).exists() else []
    kept = [Result(**{**fields, "verdict": Verdict(fields["verdict"])})
            for fields in map(json.loads, lines)]  # fmt: skip
    by_change = {(result.file, result.was, result.becomes): result for result in kept}
    return [(each, by_change.get((each.file, each.was, each.becomes))) for each in mutations]
