"""What must be true of a job and its shards at every moment (design, section 4)."""

from sqlalchemy import select

from jobs.base.bootstrap import Ground
from jobs.base.states import TERMINAL, ItemStatus, JobStatus, ShardState
from jobs.results.rows import read_rows
from jobs.tables import Job, Shard

ENDED = ("completed", "failed", "cancelled", "expired")


def read_job(ground: Ground, job_id: str) -> Job:
    with ground.database.read() as session:
        return session.get_one(Job, job_id)


def shards_of(ground: Ground, job_id: str) -> list[Shard]:
    with ground.database.read() as session:
        found = select(Shard).where(Shard.job_id == job_id).order_by(Shard.first, Shard.id)
        return list(session.scalars(found))


def check_job(ground: Ground, job_id: str) -> Job:
    """Check one job that nobody changes at this moment; gives it."""
    job, shards = read_job(ground, job_id), shards_of(ground, job_id)
    counts = job.request_counts
    assert counts["total"] == counts["processing"] + sum(counts[name] for name in ENDED)
    assert min(counts.values()) >= 0
    standing = [shard for shard in shards if shard.state is not ShardState.SPLIT]
    position = 0
    for shard in standing:
        assert shard.first == position, "shards overlap, or leave a gap"
        position += shard.count
    assert position == job.total
    open_items = sum(
        shard.count for shard in standing if shard.state in (ShardState.PENDING, ShardState.LEASED)
    )
    assert counts["processing"] == open_items
    pending = [shard for shard in standing if shard.state is ShardState.PENDING]
    assert job.pending_shards == len(pending)
    assert (job.ended_at is not None) == (job.status in TERMINAL) == (open_items == 0)
    if job.status in TERMINAL:
        check_results(ground, job)
    return job


def check_results(ground: Ground, job: Job) -> None:
    """Check that a terminal job has exactly one row for every index, as its counts say."""
    rows = [row for _, row in read_rows(ground, job)]
    assert sorted(row.index for row in rows) == list(range(job.total))
    names = dict(zip(ItemStatus, ENDED, strict=True))
    for status, name in names.items():
        assert sum(row.status is status for row in rows) == job.request_counts[name], name
    if job.status is JobStatus.COMPLETED:
        assert job.cancelled == job.expired == 0
