"""How a job ends: by its last commit (jobs.queue.commits), by a cancel, or at its deadline.

In the transaction that closes a job its webhook deliveries are inserted, the output that it asked
for, and what its kind makes follow it.
"""

from sqlalchemy import Boolean, and_, bindparam, event, exists, or_, select, update
from sqlalchemy.orm import Session

from jobs.base.database import Database, db_now
from jobs.base.errors import Conflict, NotFound
from jobs.base.states import (
    TERMINAL,
    ItemStatus,
    JobStatus,
    OutputState,
    ShardState,
    check_job_move,
    closing_status,
    outcome_of,
)
from jobs.events.numbering import Moment, number_events
from jobs.kinds.table import kind_of
from jobs.metrics import metrics
from jobs.queue.webhooks import Told, record_event
from jobs.tables import Job, JobOutput, Shard, Table, WebhookEndpoint

# Longer than a worker that was thought dead may take to write what nobody wants any more.
TIDY_AFTER_S = 600.0

_jobs, _shards = (Table.metadata.tables[name] for name in ("jobs", "shards"))

# Shards that never ran come last in the order of results, after every commit.
_NUMBER_REST = (
    update(_shards)
    .where(_shards.c.job_id == bindparam("of_job"), _shards.c.state == ShardState.CANCELLED)
    .values(commit_number=bindparam("after") + _shards.c.first)
)
# FOR NO KEY UPDATE: the stronger lock would wait for everyone who inserts a shard of the job.
_LOCKED_JOB = select(Job).where(Job.id == bindparam("of_job")).with_for_update(key_share=True)
# The time, and whether an attempt died before its commit; once for each endpoint that may have to
# be told, and once where there is none. One statement, for every job ends by it.
_ONCE = select(
    db_now().label("now"),
    exists()
    .where(
        _shards.c.job_id == bindparam("of_job"),
        (_shards.c.fence > 1) | ((_shards.c.fence > 0) & (_shards.c.state != ShardState.DONE)),
    )
    .label("was_broken_off"),
).subquery()
_IS_TOLD = and_(
    WebhookEndpoint.tenant_id == bindparam("of_tenant"),
    WebhookEndpoint.enabled,
    ~bindparam("is_trial", type_=Boolean),
)
_AT_THE_END = select(
    _ONCE.c.now,
    _ONCE.c.was_broken_off,
    WebhookEndpoint.id,
    WebhookEndpoint.url,
    WebhookEndpoint.events,
).outerjoin_from(_ONCE, WebhookEndpoint, _IS_TOLD)


def cancel(database: Database, tenant_id: str, job_id: str) -> Job:
    """Cancel a job: what waits is cancelled at once, what runs stops within a batch.

    Raises NotFound, and Conflict when the job is over already. Repeating a cancel is harmless.
    """
    with database.write() as session:
        job = end_early(session, job_id, ItemStatus.CANCELLED, tenant_id)
        if job.deleted_at is not None:
            raise NotFound(f"There is no job {job_id!r}.")
        if job.status in TERMINAL and job.status is not JobStatus.CANCELLED:
            raise Conflict(f"Job {job_id} is {job.status} and cannot be cancelled any more.")
        return job


def expire_overdue(database: Database) -> int:
    """End the jobs whose deadline has passed; gives their number."""
    with database.read() as session:
        overdue = session.scalars(
            select(Job.id)
            .where(
                Job.ended_at.is_(None),
                # Or ending already, with a shard that another transaction held at that moment.
                or_(
                    Job.ending.is_(None) & (Job.expires_at < db_now()),
                    Job.ending.is_not(None) & (Job.pending_shards > 0),
                ),
            )
            .limit(100)
        ).all()
    for job_id in overdue:
        with database.write() as session:
            end_early(session, job_id, ItemStatus.EXPIRED)
    return len(overdue)


def end_early(
    session: Session, job_id: str, ending: ItemStatus, tenant_id: str | None = None
) -> Job:
    """Begin to end a job that is not over; gives the job as it then stands. Raises NotFound."""
    job = _locked(session, job_id)
    if job is None or (tenant_id is not None and job.tenant_id != tenant_id):
        raise NotFound(f"There is no job {job_id!r}.")
    if job.status in TERMINAL:
        return job
    if job.ending is not None:
        close_if_over(session, job_id)
        return job
    job.ending = ending
    job.status_reason = "cancelled by the caller" if ending is ItemStatus.CANCELLED else "deadline"
    job.cancelling_at = session.scalar(select(db_now()))
    if job.status is JobStatus.VALIDATING:
        close(session, job, JobStatus(ending.value))
        return job
    if ending is ItemStatus.CANCELLED:
        check_job_move(job.status, JobStatus.CANCELLING)
        job.status = JobStatus.CANCELLING
    session.flush()
    close_if_over(session, job_id)
    return job


def discard(session: Session, job_id: str) -> Job:
    """End a job at once, whatever runs of it, and mark it as deleted. Raises NotFound."""
    _fence_off(session, job_id)
    job = end_early(session, job_id, ItemStatus.CANCELLED)
    if job.deleted_at is None:
        job.deleted_at = session.scalar(select(db_now()))
        # Its results may have been erased when their time was over; now it is all the rest.
        job.outputs_erased_at = None
        number_events(session, job, Moment.DELETED)
    return job


def close_if_over(session: Session, job_id: str) -> None:
    """Close a job of which every item is counted; of one that is ending, count what waits first."""
    job = _locked(session, job_id)
    if job is None or job.status in TERMINAL:
        return
    if job.ending is not None:
        _drop_pending(session, job)
    counted = job.completed + job.failed + job.cancelled + job.expired
    if job.status is not JobStatus.VALIDATING and counted == job.total:
        close(session, job, closing_status(job.status, job.ending))


def close(session: Session, job: Job, status: JobStatus, reason: str | None = None) -> None:
    """Make a job terminal and insert its webhook deliveries; the caller holds the job's row."""
    check_job_move(job.status, status)
    job.status = status
    job.status_reason = reason or job.status_reason
    connection = session.connection()
    kind = kind_of(job)
    # Nobody but an operator sees a trial.
    of = {"of_job": job.id, "of_tenant": job.tenant_id, "is_trial": kind.is_trial}
    rows = connection.execute(_AT_THE_END, of).all()
    now, was_broken_off = rows[0].now, rows[0].was_broken_off
    job.ended_at = now
    if status is JobStatus.COMPLETED:
        job.outcome = outcome_of(job.total, job.failed)
    # A preparation may have been broken off as well, or have lost its job meanwhile.
    unprepared = job.prepare_fence > 1 or (job.prepare_fence == 1 and job.manifest is None)
    # Then there may be blobs that nobody names, or copies of inputs that are gone.
    is_untidy = was_broken_off or unprepared or job.inputs_erased_at is not None
    job.tidy_at = now + TIDY_AFTER_S if is_untidy else None
    number_events(session, job, Moment.ENDED)
    session.flush()
    if job.cancelled or job.expired:
        connection.execute(_NUMBER_REST, {"of_job": job.id, "after": job.commits + 1})
    told = [Told(row.id, row.url, row.events) for row in rows if row.id is not None]
    record_event(session, job, now, told)
    if job.output is not None:
        session.add(_output_of(job, now))
    kind.end(session, job)
    _count_when_committed(session, status)


def _output_of(job: Job, now: float) -> JobOutput:
    """Make the row of an output that is to be written, due at once."""
    row = JobOutput(
        job_id=job.id,
        tenant_id=job.tenant_id,
        state=OutputState.WAITING,
        until=now,
        created_at=now,
    )
    if job.status is JobStatus.FAILED:
        row.state, row.ended_at = OutputState.FAILED, now
        row.error_code, row.error_message = "job_failed", "The job failed and has no results."
    return row


def _count_when_committed(session: Session, status: JobStatus) -> None:
    def count(_: Session) -> None:
        metrics.JOBS_ENDED.labels(status.value).inc()

    event.listen(session, "after_commit", count, once=True)


def _locked(session: Session, job_id: str) -> Job | None:
    fresh = {"populate_existing": True}
    return session.scalar(_LOCKED_JOB, {"of_job": job_id}, execution_options=fresh)


def _fence_off(session: Session, job_id: str) -> None:
    """Take a job's leased shards from their workers and count their items as not run.

    Shards are locked before their job, and in the order of their ids, as everywhere (see
    jobs.queue.scheduling). What they were charged stays: the device was at them.
    """
    leased = (
        select(Shard.id)
        .where(Shard.job_id == job_id, Shard.state == ShardState.LEASED)
        .order_by(Shard.id)
        .with_for_update()
    )
    taken = session.scalars(
        update(Shard)
        .where(Shard.id.in_(leased.scalar_subquery()), Shard.state == ShardState.LEASED)
        .values(state=ShardState.CANCELLED, owner=None, lease_until=None)
        .returning(Shard.count)
    ).all()
    if taken:
        session.execute(
            update(Job).where(Job.id == job_id).values(cancelled=Job.cancelled + sum(taken))
        )


def _drop_pending(session: Session, job: Job) -> None:
    """Cancel the pending shards of a job that is ending, and count their items.

    Whoever holds a job never waits for a shard (see jobs.queue.scheduling): one that is being
    claimed at this moment is left to its worker, which hears of the ending and stops.
    """
    pending = (
        select(Shard.id)
        .where(Shard.job_id == job.id, Shard.state == ShardState.PENDING)
        .with_for_update(skip_locked=True)
        .cte()
    )
    dropped = session.scalars(
        update(Shard)
        .where(Shard.id.in_(select(pending.c.id)))
        .values(state=ShardState.CANCELLED)
        .returning(Shard.count)
    ).all()
    counts = {ItemStatus.CANCELLED: Job.cancelled, ItemStatus.EXPIRED: Job.expired}
    column = counts[job.ending or ItemStatus.CANCELLED]
    still_pending = Job.pending_shards - len(dropped)
    session.execute(
        update(Job)
        .where(Job.id == job.id)
        .values({column: column + sum(dropped), Job.pending_shards: still_pending})
    )
    session.refresh(job)
