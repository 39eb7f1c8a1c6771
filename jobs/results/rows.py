"""Reading a job's results: in the order of commits, by a cursor that loses and repeats nothing.

A cursor is the number of a commit and a row in its segment. Commits of one job are numbered under
the lock of its row, so a smaller number never shows up after a larger one; a reader that keeps the
last cursor sees every row once, live and afterwards. Shards that never ran come last, when the job
is over; their rows are made from the manifest.

Whoever needs a finished job's rows by index, such as a comparison of two jobs, gets them so too.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from sqlalchemy import func, select

from jobs.base.bootstrap import Ground
from jobs.base.errors import InvalidRequest
from jobs.base.states import TERMINAL, ItemStatus, JobStatus, ShardState
from jobs.inputs.manifests import Manifest
from jobs.results.segments import Row, count_rows, read_segment
from jobs.tables import Job, Shard

# Commits looked up with one query.
_COMMITS = 64
# And shards, where they are read by index, for which they have to be sorted.
_SHARDS = 512


# A tuple, for a stream makes millions.
class Cursor(NamedTuple):
    """A place between two rows: after row `row` (0-based) of commit `commit`."""

    commit: int = 0
    row: int = -1

    def __str__(self) -> str:
        return f"{self.commit}.{self.row}"


@dataclass(frozen=True, slots=True)
class Extent:
    """How much there is to read at a moment: `rows`, up to commit `until`, however it goes on."""

    rows: int
    until: int


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, the place after the last of them, and whether more are there at this moment."""

    rows: list[Row]
    first: Cursor | None
    last: Cursor | None
    has_more: bool


def parse_cursor(text: str) -> Cursor:
    """Read a cursor that an earlier page gave; raises InvalidRequest."""
    commit, dot, row = text.partition(".")
    if not (dot and commit.isdecimal() and row.isdecimal() and len(text) < 20):
        raise InvalidRequest(
            f"`after` is {text!r}, which is no cursor of these results: pass the last_id of the "
            "page before, unchanged.",
            param="after",
        )
    return Cursor(int(commit), int(row))


def read_page(
    ground: Ground, job: Job, after: Cursor, limit: int, status: ItemStatus | None = None
) -> Page:
    """Give up to `limit` rows after a cursor, those of one status if one is named."""
    rows: list[Row] = []
    cursors: list[Cursor] = []
    for cursor, row in read_rows(ground, job, after):
        if status is not None and row.status is not status:
            continue
        if len(rows) == limit:
            return Page(rows, cursors[0], cursors[-1], has_more=True)
        rows.append(row)
        cursors.append(cursor)
    first, last = (cursors[0], cursors[-1]) if cursors else (None, None)
    return Page(rows, first, last, has_more=False)


def extent_of(ground: Ground, job: Job, after: Cursor, status: ItemStatus | None = None) -> Extent:
    """Count the rows after a cursor that are committed by now, those of one status if one is named.

    Where the job's own counts cannot tell a status, that column of its segments is read.
    """
    is_after = (Shard.job_id == job.id, Shard.commit_number >= after.commit)
    with ground.database.read() as session:
        # One statement, so that it counts what was committed at one moment.
        items, until = session.execute(
            select(func.sum(Shard.count), func.max(Shard.commit_number)).where(*is_after)
        ).one()
    if until is None:
        return Extent(0, after.commit)
    if status is None:
        # Numbers count from 1: the beginning has no shard.
        read_before = after.row + 1 if after.commit else 0
        return Extent(int(items) - read_before, until)
    # It was over before the commits were looked at, so none has come since.
    if after == Cursor() and job.status in TERMINAL:
        return Extent(counted(job, status), until)
    job = _read_again(ground, job)
    shards = _shards_from(ground, job.id, after.commit, until)
    return Extent(sum(_rows_of_status(ground, job, after, each, status) for each in shards), until)


def read_rows(
    ground: Ground, job: Job, after: Cursor | None = None, until: int | None = None
) -> Iterator[tuple[Cursor, Row]]:
    """Read every row after a cursor that is committed by now, or by `until`, in bounded memory."""
    after = after or Cursor()
    manifest: Manifest | None = None
    for shard in _shards_from(ground, job.id, after.commit, until):
        commit = shard.commit_number or 0
        start = after.row + 1 if commit == after.commit else 0
        if shard.segment is not None:
            rows = read_segment(ground.storage, shard.segment, start)
            if job.has_item_metadata:
                manifest = manifest or Manifest(ground.storage, job.manifest or "")
                rows = _with_metadata(rows, manifest, shard, start)
        else:
            # The job may have ended after the caller had read it.
            job = _read_again(ground, job)
            manifest = manifest or Manifest(ground.storage, job.manifest or "")
            rows = islice(_rows_that_never_ran(manifest, job, shard), start, None)
        for position, row in enumerate(rows, start):
            yield Cursor(commit, position), row


def read_rows_by_index(
    ground: Ground, job: Job, runs: Sequence[range] | None = None
) -> Iterator[Row]:
    """Read the rows of a job that is over in the order of their indexes, in bounded memory.

    `runs`, which are in order and do not overlap, leave out all other items.
    """
    runs = [range(job.total)] if runs is None else runs
    manifest: Manifest | None = None
    for shard, inside in _shards_inside(ground, job.id, runs):
        if shard.segment is not None:
            rows = read_segment(ground.storage, shard.segment)
        else:
            manifest = manifest or Manifest(ground.storage, job.manifest or "")
            rows = _rows_that_never_ran(manifest, job, shard)
        yield from (row for row in rows if any(row.index in run for run in inside))


def _shards_inside(
    ground: Ground, job_id: str, runs: Sequence[range]
) -> Iterator[tuple[Shard, list[range]]]:
    """Give the shards that hold a job's items, by index, each with the runs that it meets."""
    waiting = deque(runs)
    for shard in _shards_by_index(ground, job_id):
        while waiting and waiting[0].stop <= shard.first:
            waiting.popleft()
        stop = shard.first + shard.count
        if inside := [run for run in waiting if run.start < stop]:
            yield shard, inside


def _shards_by_index(ground: Ground, job_id: str) -> Iterator[Shard]:
    first = -1
    while True:
        with ground.database.read() as session:
            shards = session.scalars(
                select(Shard)
                .where(
                    Shard.job_id == job_id,
                    Shard.state.in_((ShardState.DONE, ShardState.CANCELLED)),
                    Shard.first > first,
                )
                .order_by(Shard.first)
                .limit(_SHARDS)
            ).all()
        if not shards:
            return
        yield from shards
        first = shards[-1].first


def _shards_from(
    ground: Ground, job_id: str, commit: int, until: int | None = None
) -> Iterator[Shard]:
    """Give the committed shards from one commit's number to another's, some at a time."""
    within = [] if until is None else [Shard.commit_number <= until]
    while True:
        with ground.database.read() as session:
            shards = session.scalars(
                select(Shard)
                .where(Shard.job_id == job_id, Shard.commit_number >= commit, *within)
                .order_by(Shard.commit_number)
                .limit(_COMMITS)
            ).all()
        yield from shards
        if len(shards) < _COMMITS:
            return
        commit = (shards[-1].commit_number or 0) + 1


def counted(job: Job, status: ItemStatus) -> int:
    """Give how many of a job's items ended so."""
    return {
        ItemStatus.SUCCEEDED: job.completed,
        ItemStatus.ERRORED: job.failed,
        ItemStatus.CANCELLED: job.cancelled,
        ItemStatus.EXPIRED: job.expired,
    }[status]


def _rows_of_status(
    ground: Ground, job: Job, after: Cursor, shard: Shard, status: ItemStatus
) -> int:
    start = after.row + 1 if shard.commit_number == after.commit else 0
    if shard.segment is not None:
        return count_rows(ground.storage, shard.segment, status, start)
    return shard.count - start if _status_of_never_run(job) is status else 0


def _status_of_never_run(job: Job) -> ItemStatus:
    return ItemStatus.EXPIRED if job.status is JobStatus.EXPIRED else ItemStatus.CANCELLED


def _read_again(ground: Ground, job: Job) -> Job:
    with ground.database.read() as session:
        return session.get_one(Job, job.id)


def _with_metadata(
    rows: Iterator[Row], manifest: Manifest, shard: Shard, start: int
) -> Iterator[Row]:
    """Put beside a shard's rows, from row `start` on, what came beside their items."""
    items = manifest.items(shard.first + start, shard.count - start)
    for row, item in zip(rows, items, strict=True):
        row.metadata_json = item.metadata
        yield row


def _rows_that_never_ran(manifest: Manifest, job: Job, shard: Shard) -> Iterator[Row]:
    status = _status_of_never_run(job)
    items = manifest.items(shard.first, shard.count)
    for index, item in enumerate(items, start=shard.first):
        yield Row(
            index,
            item.custom_id,
            status,
            input_url=item.shown_url,
            metadata_json=item.metadata,
        )
