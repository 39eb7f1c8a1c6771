"""What the answers of a job come to: classes and confidences, counted shard by shard.

    rows of a shard ──worker──► summary beside its commit ──┐
                                                            ├──reader──► summary of the job, kept
    summary of the job, as it was kept last ────────────────┘

A worker counts while it has the rows in its hands. Whoever asks adds what was committed since the
last one asked, in the order of commits, and keeps the sum with the place that it reaches to: so a
million rows are never read for it, and nothing is counted twice. Where there is more to add than
one can wait for, the sum says so, and the next to ask goes on there.

What is counted of an item is what it found: each object or mask, or else its first class alone, for
those behind it are its second thoughts. Vectors are not counted.
"""

import time
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import select, update

from jobs.base.bootstrap import Ground
from jobs.base.states import ItemStatus
from jobs.base.storage import BlobMissing
from jobs.results.segments import Row, read_segment
from jobs.tables import Job, Shard

# A twentieth of the confidences from 0 to 1 each; 1 itself is in the last.
BINS = 20
# Of one shard or job; whatever else was found is counted without its name.
MOST_CLASSES = 5000
# Shards whose summaries are read with one query.
_SHARDS = 256
_FAST = 1


@dataclass(slots=True)
class Summary:
    """What some items came to; `until` is the last commit that is in it."""

    until: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    # How often each class was found, and what was found beside the classes that have names here.
    classes: Counter[str] = field(default_factory=Counter)
    others: int = 0
    # How many findings have a confidence in each bin.
    confidences: list[int] = field(default_factory=lambda: [0] * BINS)
    # For how many seconds each stage was at work on them: those of several threads add up.
    seconds: Counter[str] = field(default_factory=Counter)

    @property
    def items(self) -> int:
        """How many items ran: those of a shard that was broken off are not among them."""
        ran = (ItemStatus.SUCCEEDED, ItemStatus.ERRORED)
        return sum(self.statuses[status.value] for status in ran)

    @property
    def found(self) -> int:
        """How many findings were counted."""
        return self.classes.total() + self.others

    def may_hold(self, status: ItemStatus | None, label: str | None) -> bool:
        """Say whether items of a status, or with a class, can be among those counted."""
        has_status = status is None or self.statuses[status.value] > 0
        return has_status and (label is None or label in self.classes or self.others > 0)

    def add(self, other: "Summary") -> None:
        """Count what another one has counted."""
        self.statuses.update(other.statuses)
        self.others += other.others
        self.seconds.update(other.seconds)
        for label, count in other.classes.items():
            self._count(label, count)
        pairs = zip(self.confidences, other.confidences, strict=True)
        self.confidences = [mine + more for mine, more in pairs]

    def see(self, row: Row) -> None:
        """Count one item."""
        self.statuses[row.status.value] += 1
        for label, confidence in findings(row):
            self._count(label, 1)
            if confidence is not None:
                self.confidences[bin_of(confidence)] += 1

    def _count(self, label: str, count: int) -> None:
        if label in self.classes or len(self.classes) < MOST_CLASSES:
            self.classes[label] += count
        else:
            self.others += count


def findings(row: Row) -> Iterator[tuple[str, float | None]]:
    """Give what an item found: each class with its confidence."""
    if row.predictions_json is None or row.predictions_json.startswith('[{"embedding"'):
        return
    predictions: list[dict[str, Any]] = orjson.loads(row.predictions_json)
    for each in predictions:
        if "class" not in each:
            return
        confidence = each.get("confidence")
        # A network of somebody's own may say anything: it costs no result.
        yield str(each["class"]), confidence if isinstance(confidence, int | float) else None
        if "box" not in each and "mask" not in each:
            return


def bin_of(confidence: float) -> int:
    """Give the number of a confidence's bin."""
    return min(BINS - 1, max(0, int(confidence * BINS)))


def summarize(rows: Iterable[Row]) -> Summary:
    """Count some rows."""
    summary = Summary()
    for row in rows:
        summary.see(row)
    return summary


def write_summary(summary: Summary) -> bytes:
    """Write a summary as it is kept in a column."""
    told = [
        summary.until,
        summary.statuses,
        summary.classes,
        summary.others,
        summary.confidences,
    ]
    seconds = {stage: round(each, 4) for stage, each in summary.seconds.items()}
    # Behind the first stream, where earlier versions look no further.
    return b"".join(zlib.compress(orjson.dumps(each), _FAST) for each in (told, seconds))


def read_summary(kept: bytes) -> Summary:
    """Read what `write_summary` wrote."""
    first = zlib.decompressobj()
    until, statuses, classes, others, confidences = orjson.loads(first.decompress(kept))
    # What an earlier version wrote has no seconds.
    seconds = Counter(orjson.loads(zlib.decompress(first.unused_data)) if first.unused_data else {})
    return Summary(until, Counter(statuses), Counter(classes), others, confidences, seconds)


def summary_of(ground: Ground, job: Job, seconds: float) -> tuple[Summary, bool]:
    """Give what a job's answers come to by now, and whether all that is committed is in it.

    What was not counted within `seconds` is counted by whoever asks next.
    """
    with ground.database.read() as session:
        kept = session.scalar(select(Job.summary).where(Job.id == job.id))
    total = read_summary(kept) if kept is not None else Summary()
    begun_at, until = total.until, time.monotonic() + seconds
    is_whole = True
    for commit, summary in _summaries(ground, job, total.until):
        total.add(summary)
        total.until = commit
        if time.monotonic() > until:
            is_whole = False
            break
    # A few shards are added again faster than they are written.
    if not is_whole or total.until - begun_at >= _SHARDS:
        _keep(ground, job, total)
    return total, is_whole


def _summaries(ground: Ground, job: Job, after: int) -> Iterator[tuple[int, Summary]]:
    while True:
        with ground.database.read() as session:
            shards = session.execute(
                select(Shard.commit_number, Shard.summary, Shard.segment)
                .where(
                    Shard.job_id == job.id,
                    Shard.commit_number > after,
                    Shard.segment.is_not(None),
                )
                .order_by(Shard.commit_number)
                .limit(_SHARDS)
            ).all()
        for commit, summary, segment in shards:
            after = int(commit or 0)
            yield after, shard_summary(ground, summary, segment or "")
        if len(shards) < _SHARDS:
            return


def shard_summary(ground: Ground, kept: bytes | None, segment: str) -> Summary:
    """Give the summary of a shard; of one that an earlier version ran, its rows are read."""
    if kept is not None:
        return read_summary(kept)
    try:
        return summarize(read_segment(ground.storage, segment))
    except BlobMissing:
        return Summary()


def _keep(ground: Ground, job: Job, summary: Summary) -> None:
    """Keep a sum for whoever asks next; what others kept meanwhile is as right."""
    with ground.database.write() as session:
        session.execute(
            update(Job)
            .where(Job.id == job.id, Job.outputs_erased_at.is_(None), Job.deleted_at.is_(None))
            .values(summary=write_summary(summary))
        )
