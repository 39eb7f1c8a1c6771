"""What became of a mutation that was tried."""

import datetime
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a mutation ended; only RED is as it should be."""

    RED = "red"  # a test noticed it
    SURVIVED = "survived"  # none did
    NOT_FOUND = "not found"  # its text is not in the file any more
    UNCLEAR = "unclear"  # pytest ran no test, or did not come to its end


@dataclass(frozen=True, slots=True)
class Result:
    """One mutation that was tried; `detail` is the test that went red, or what happened instead."""

    verdict: Verdict
    detail: str
    day: str

    @classmethod
    def of_today(cls, verdict: Verdict, detail: str) -> "Result":
        """Make the result of a mutation that was tried today."""
        return cls(verdict, detail, datetime.datetime.now(datetime.UTC).date().isoformat())
