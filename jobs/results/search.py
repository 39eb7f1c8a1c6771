"""Finds the rows of a job that are wanted, without reading those of shards that cannot have any.

What each shard's answers come to stands beside its commit (jobs.results.summaries), so a class that
three items of a million have is found by reading the shards of these three. A search ends after
some time, found or not, and says where it goes on.
"""

import time
from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import select

from jobs.base.bootstrap import Ground
from jobs.base.states import ItemStatus
from jobs.results.rows import Cursor, Page, read_rows
from jobs.results.segments import Row
from jobs.results.summaries import findings, read_summary
from jobs.tables import Job, Shard

# Shards whose summaries are read with one query.
_SHARDS = 128
# The clock is looked at once in so many rows.
_BETWEEN_LOOKS = 64


class Wanted(NamedTuple):
    """Which rows are wanted: all by default. A finding has to have class and confidence both."""

    status: ItemStatus | None = None
    label: str | None = None
    at_least: float = 0.0
    # Below it, as the bars are drawn; 1 itself is in where it is 1.
    below: float = 1.0

    @property
    def is_anything(self) -> bool:
        """Whether every row is wanted."""
        return self == Wanted()

    @property
    def _is_of_findings(self) -> bool:
        return self[1:] != Wanted()[1:]

    def has(self, row: Row) -> bool:
        """Say whether a row is wanted."""
        if self.status is not None and row.status is not self.status:
            return False
        return not self._is_of_findings or any(
            self.label in (None, label) and self._is_within(confidence)
            for label, confidence in findings(row)
        )

    def _is_within(self, confidence: float | None) -> bool:
        if confidence is None:
            return (self.at_least, self.below) == (0.0, 1.0)
        return self.at_least <= confidence and (confidence < self.below or self.below == 1.0)


def find_rows(
    ground: Ground, job: Job, wanted: Wanted, after: Cursor, limit: int, seconds: float
) -> Page:
    """Give up to `limit` of the wanted rows after a cursor, as many as are found in time.

    The page's `last` is where the search goes on: it may be far behind the last row, or have none.
    """
    rows: list[Row] = []
    first, place, until = None, after, time.monotonic() + seconds
    # Not before the first was looked at: each page goes on, however slow the store is.
    for number, (cursor, row) in enumerate(_candidates(ground, job, wanted, after)):
        is_wanted = row is not None and wanted.has(row)
        is_late = number and not number % _BETWEEN_LOOKS and time.monotonic() > until
        if (is_wanted and len(rows) == limit) or is_late:
            return Page(rows, first, place, has_more=True)
        if is_wanted and row is not None:
            rows.append(row)
            first = first or cursor
        place = cursor
    return Page(rows, first, place, has_more=False)


def _candidates(
    ground: Ground, job: Job, wanted: Wanted, after: Cursor
) -> Iterator[tuple[Cursor, Row | None]]:
    """Give each row that may be wanted, and None in place of a shard that has no such row."""
    for commit, count, summary in _shards(ground, job, after.commit):
        if summary is not None and not read_summary(summary).may_hold(wanted.status, wanted.label):
            yield Cursor(commit, count - 1), None
            continue
        yield from read_rows(ground, job, max(after, Cursor(commit, -1)), until=commit)


def _shards(ground: Ground, job: Job, commit: int) -> Iterator[tuple[int, int, bytes | None]]:
    while True:
        with ground.database.read() as session:
            found = session.execute(
                select(Shard.commit_number, Shard.count, Shard.summary)
                .where(Shard.job_id == job.id, Shard.commit_number >= commit)
                .order_by(Shard.commit_number)
                .limit(_SHARDS)
            ).all()
        for number, count, summary in found:
            yield number or 0, count, summary
            commit = (number or 0) + 1
        if len(found) < _SHARDS:
            return
