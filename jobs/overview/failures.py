"""The failed items of a job by cause, as far as can be looked through while somebody waits."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from jobs.base.bootstrap import Ground
from jobs.base.states import ItemStatus
from jobs.results.rows import read_rows
from jobs.results.segments import Row
from jobs.tables import Job

# Names of each cause that are given.
MOST_NAMED = 5
_MOST_CAUSES = 50
# The clock is looked at once in so many rows.
_BETWEEN_LOOKS = 256
# What tells one item's message from another's of the same cause.
_OWN = re.compile(r"'[^']*'|\"[^\"]*\"|\d[\d,.]*")


@dataclass(slots=True)
class Cause:
    """Items that failed alike: how many were seen, and the first of them by index and name."""

    code: str
    message: str
    retryable: bool
    count: int = 0
    first: list[tuple[int, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Failures:
    """The causes, most frequent first; `seen` is fewer than have failed where time was short."""

    causes: list[Cause]
    seen: int


def failures_of(
    ground: Ground, job: Job, seconds: float, tell: Callable[[Row], Row] = lambda row: row
) -> Failures:
    """Group the failed items of a job, for as long as there is time to look for them.

    `tell` makes of a failed row what its viewer may see of it.
    """
    causes: dict[tuple[str, str], Cause] = {}
    seen = 0
    for row in map(tell, _failed_rows(ground, job, time.monotonic() + seconds)):
        seen += 1
        error = row.error
        assert error is not None
        key = (error.code, _OWN.sub("…", error.message))
        if key not in causes and len(causes) == _MOST_CAUSES:
            continue
        cause = causes.setdefault(key, Cause(error.code, error.message, error.retryable))
        cause.count += 1
        if len(cause.first) < MOST_NAMED:
            cause.first.append((row.index, row.custom_id))
    ordered = sorted(causes.values(), key=lambda cause: -cause.count)
    return Failures(ordered, seen)


def _failed_rows(ground: Ground, job: Job, until: float) -> Iterator[Row]:
    """Give failed rows until all that have failed were given, or the time is over."""
    found = 0
    if not job.failed:
        return
    for number, (_, row) in enumerate(read_rows(ground, job)):
        if row.status is ItemStatus.ERRORED and row.error is not None:
            found += 1
            yield row
        # Not before some were looked at, however long the store took to give the first.
        is_late = number and not number % _BETWEEN_LOOKS and time.monotonic() > until
        if found == job.failed or is_late:
            return
