"""Trainings: jobs of one shard that learn from their items, in turns, and end in a new version.

    POST /v1/trainings ──► manifest: the data set ──► one shard
                                                        │
      ┌────────────────── pending ◄────── end_turn ◄────┤ claim, train for a turn, checkpoint
      └──claim──► … ──► over ──► weights registered ──► done

A turn ends as a hand-back does and costs no try, but what it learned is kept and the device time is
charged: whose turn is next is decided anew, so that a long training holds up nobody. A turn whose
worker dies is lost; the next begins at the checkpoint before it.

A training's manifest lists the images; its `total` is 1, the network. When the last epoch is over
the weights are registered by a turn of their own, from the checkpoint: however often it is
repeated, the same weights give the same version.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from jobs.base.bootstrap import Ground
from jobs.base.database import Database, db_now
from jobs.base.errors import NotFound
from jobs.base.ids import new_id
from jobs.base.states import JobStatus, ShardState
from jobs.intake.submission import Idempotency, find_earlier, store_job
from jobs.kinds.training import TRAINING
from jobs.queue.commits import through_outages
from jobs.queue.completion import close_if_over
from jobs.queue.scheduling import ShardLease, charge_tenant, time_used
from jobs.queue.turns import priority_weight
from jobs.tables import Job, Shard, Training
from jobs.versions.registry import Unwanted


@dataclass(frozen=True, slots=True)
class TrainingSubmission:
    """A training as its caller wants it, checked; `name` is the model's stored one."""

    tenant_id: str
    name: str
    input_file_id: str
    recipe: dict[str, Any]
    requested: dict[str, Any]
    pool: str
    priority: str = "low"
    metadata: dict[str, str] | None = None
    webhook: dict[str, Any] | None = None
    completion_window: str | None = None
    completion_window_s: float = 86400.0
    output_expires_after: int | None = None
    delete_inputs: bool = False
    # The span of the request that submits it (jobs.base.traces).
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """What a turn came to: the blob to go on from, and what callers are shown."""

    checkpoint: str
    progress: dict[str, Any]


def submit_training(
    ground: Ground, submission: TrainingSubmission, idempotency: Idempotency | None = None
) -> tuple[Job, bool]:
    """Store a training; gives its job, and False when it is that of an earlier, equal request."""
    earlier = find_earlier(ground, submission.tenant_id, idempotency)
    if earlier is not None:
        return earlier, False
    job = _new_job(submission)
    rows = [Training(job_id=job.id)]
    return store_job(ground, job, [], idempotency, submission.completion_window_s, rows)


def get_training(session: Session, tenant_id: str, job_id: str) -> tuple[Job, Training]:
    """Give a tenant's training; raises NotFound, also when it is another's or was deleted."""
    found = session.execute(_trainings(tenant_id).where(Job.id == job_id)).first()
    if found is None:
        raise NotFound(f"There is no training {job_id!r}.")
    job, training = found
    return job, training


def list_trainings(
    session: Session, tenant_id: str, *, after: str | None, limit: int
) -> list[tuple[Job, Training]]:
    """Give up to `limit` trainings older than `after`, newest first; ids sort by time."""
    query = _trainings(tenant_id).order_by(Job.id.desc()).limit(limit)
    if after is not None:
        query = query.where(Job.id < after)
    return [(job, training) for job, training in session.execute(query)]


def read_row(database: Database, job_id: str) -> Training:
    """Give a training's row, for the worker that has it leased; raises NotFound when it is gone."""
    with database.read() as session:
        training = session.get(Training, job_id)
    if training is None:
        raise NotFound(f"There is no training {job_id!r}.")
    return training


def end_turn(
    database: Database, lease: ShardLease, turn: Turn, device_s: float, held_s: float
) -> bool:
    """Keep what a turn learned and give the shard back; False when the lease was lost.

    A turn that went well clears what earlier ones were counted for, deaths too: a training of weeks
    may be killed more often than a shard of seconds, and need not run alone ever after. An item
    that ends its process does so again in the next turn, which begins at the same checkpoint.
    """
    with database.write() as session:
        fenced = session.scalar(
            update(Shard)
            .where(lease.is_held)
            .values(
                state=ShardState.PENDING,
                owner=None,
                lease_until=None,
                charged_s=None,
                deaths=0,
                expiries=0,
                errors=0,
            )
            .returning(Shard.id)
        )
        if fenced is None:
            return False
        _write(session, lease, checkpoint=turn.checkpoint, progress=turn.progress)
        owed_s = time_used(device_s, held_s, items=0) - lease.charged_s
        session.execute(
            update(Job)
            .where(Job.id == lease.job_id)
            .values(
                pending_shards=Job.pending_shards + 1,
                device_s=Job.device_s + device_s,
                share=Job.share + owed_s / priority_weight,
                last_progress_at=db_now(),
            )
        )
        charge_tenant(session, lease.tenant_id, owed_s)
        close_if_over(session, lease.job_id)
        return True


def end_turn_through_outages(
    database: Database,
    lease: ShardLease,
    turn: Turn,
    device_s: float,
    held_s: float,
    pause: Callable[[float], object],
) -> bool:
    """End a turn through outages of the database (jobs.queue.commits.commit_through_outages)."""
    return through_outages(
        lambda: end_turn(database, lease, turn, device_s, held_s),
        lambda: _is_kept(database, lease, turn),
        lease.job_id,
        pause,
    )


def note_outcome(
    database: Database,
    lease: ShardLease,
    *,
    version: int | None = None,
    error: dict[str, Any] | None = None,
) -> None:
    """Write down what came of a training, before its commit; nothing when the lease was lost."""
    with database.write() as session:
        held = select(Shard.id).where(lease.is_held).with_for_update()
        if session.scalar(held) is not None:
            _write(session, lease, model_version=version, error=error)


def check_wanted(session: Session, lease: ShardLease) -> None:
    """Keep a training from being ended until this transaction is over.

    Raises Unwanted when its lease was lost, or it is being cancelled, expired or deleted.
    """
    held = session.scalar(select(Shard.id).where(lease.is_held).with_for_update())
    job = select(Job.id).where(Job.id == lease.job_id, Job.ending.is_(None))
    if held is None or session.scalar(job.with_for_update(key_share=True)) is None:
        raise Unwanted


def _is_kept(database: Database, lease: ShardLease, turn: Turn) -> bool:
    """Say whether a turn's checkpoint is the training's; not when that was deleted meanwhile."""
    with database.read() as session:
        training = session.get(Training, lease.job_id)
    return training is not None and training.checkpoint == turn.checkpoint


def _write(session: Session, lease: ShardLease, **values: Any) -> None:
    session.execute(update(Training).where(Training.job_id == lease.job_id).values(**values))


def _trainings(tenant_id: str) -> Any:
    return (
        select(Job, Training)
        .join(Training, Training.job_id == Job.id)
        .where(Job.tenant_id == tenant_id, Job.deleted_at.is_(None))
    )


def _new_job(submission: TrainingSubmission) -> Job:
    return Job(
        id=new_id("trn"),
        tenant_id=submission.tenant_id,
        kind=TRAINING.word,
        status=JobStatus.VALIDATING,
        requested=submission.requested,
        model_name=submission.name,
        # No version runs; the one that comes of it stands in the training's own row.
        model_version=0,
        model_digest="",
        pool=submission.pool,
        params=submission.recipe,
        priority=submission.priority,
        input_file_id=submission.input_file_id,
        metadata_=submission.metadata or {},
        webhook=submission.webhook,
        completion_window=submission.completion_window,
        output_expires_after=submission.output_expires_after,
        delete_inputs=submission.delete_inputs,
        traceparent=submission.traceparent,
    )
