"""Erases what is due: inputs of jobs that asked for it, outputs whose time is over, deleted jobs.

Bytes go first and the mark is set afterwards: a crash in between repeats a harmless deletion.

What was made of a job's data goes with it: its shadows, and before it, so that its receipt speaks
for them; what comparisons keep of its results, and what an evaluation says of single items. Its
reruns and retries keep no blob alive: their items that have not run by then are errored
`input_missing`. Figures of an evaluation stay beside the version until its job is deleted.
"""

from collections.abc import Callable
from typing import Any

import structlog
from sqlalchemy import ColumnElement, delete, exists, or_, select, update
from sqlalchemy.orm import aliased

from jobs.aftercare.comparison import RESULTS_GONE
from jobs.aftercare.uploaded_files import erase_file
from jobs.base.bootstrap import Ground
from jobs.base.database import db_now
from jobs.base.states import TERMINAL
from jobs.base.storage import StorageError
from jobs.kinds.table import kind_of, words_of
from jobs.queue.completion import TIDY_AFTER_S, discard
from jobs.tables import (
    Comparison,
    Delivery,
    Evaluation,
    File,
    Job,
    JobOutput,
    OpenedPictures,
    Shard,
    Training,
)

log = structlog.get_logger(__name__)

_AT_ONCE = 20
_DAY_S = 86_400


def erase_due(ground: Ground) -> int:
    """Erase some of what is due; gives the number of jobs that were looked after."""
    default_s = ground.settings.output_days * _DAY_S
    lifetime = Job.output_expires_after
    outputs_over = (lifetime.is_not(None) & (Job.ended_at + lifetime < db_now())) | (
        lifetime.is_(None) & (Job.ended_at + default_s < db_now())
    )
    other = aliased(Job)
    needed = exists().where(other.input_file_id == Job.input_file_id, other.ended_at.is_(None))
    inputs_due = Job.delete_inputs & Job.inputs_erased_at.is_(None) & ~needed
    outputs_due = outputs_over & Job.outputs_erased_at.is_(None) & Job.deleted_at.is_(None)
    deleted = Job.deleted_at.is_not(None) & Job.outputs_erased_at.is_(None)
    return (
        _erase_each(ground, inputs_due, _erase_inputs)
        + _erase_each(ground, outputs_due, _erase_outputs)
        + _erase_each(ground, deleted, erase_deleted)
    )


def erase_deleted(ground: Ground, job: Job) -> None:
    """Erase a job that is over and was deleted: its blobs, then its rows but for the emptied job.

    Its uploaded file stays, as a file of its own, unless the job had asked for its erasure.
    """
    if not _erase_what_came_of_it(ground, job):
        return
    if job.delete_inputs and job.inputs_erased_at is None:
        _erase_inputs(ground, job)
    ground.storage.delete(list(ground.storage.list(f"jobs/{job.id}/")))
    ground.storage.delete_staged(f"jobs/{job.id}/", older_than_s=0)
    with ground.database.write() as session:
        session.execute(delete(Comparison).where(_is_of(job)))
        session.execute(delete(Evaluation).where(Evaluation.job_id == job.id))
        session.execute(delete(JobOutput).where(JobOutput.job_id == job.id))
        session.execute(delete(OpenedPictures).where(OpenedPictures.job_id == job.id))
        session.execute(delete(Shard).where(Shard.job_id == job.id))
        session.execute(delete(Delivery).where(Delivery.job_id == job.id))
        session.execute(delete(Training).where(Training.job_id == job.id))
        said: dict[str, Any] = {"requested": {}, "params": {}, "metadata_": {}}
        gone = ("errors", "status_reason", "webhook", "manifest", "skipped", "source")
        nothing = dict.fromkeys((*gone, "output", "summary", "traceparent"))
        # A worker that was at it may still write what nobody wants, and die before it is deleted.
        ended = {"outputs_erased_at": db_now(), "tidy_at": db_now() + TIDY_AFTER_S}
        session.execute(update(Job).where(Job.id == job.id).values(**said, **nothing, **ended))


def _erase_each(ground: Ground, due: Any, erase: Callable[[Ground, Job], None]) -> int:
    with ground.database.read() as session:
        ended = select(Job).where(Job.ended_at.is_not(None), due)
        jobs = session.scalars(ended.order_by(Job.ended_at).limit(_AT_ONCE)).all()
    for job in jobs:
        try:
            erase(ground, job)
        except StorageError as err:
            # It stays due, and the others are not kept waiting.
            log.warning("erasure_failed", job=job.id, error=str(err))
    return len(jobs)


def _erase_inputs(ground: Ground, job: Job) -> None:
    """Erase the job's input file, if no other job still needs it, and what of it is in the job."""
    copies = ("/pack-", "/thumbnails/")
    names = ground.storage.list(f"jobs/{job.id}/")
    ground.storage.delete([name for name in names if any(part in name for part in copies)])
    with ground.database.read() as session:
        file = session.get(File, job.input_file_id) if job.input_file_id else None
        needed = select(Job.id).where(
            Job.input_file_id == job.input_file_id, Job.ended_at.is_(None)
        )
        if file is not None and session.scalar(needed.limit(1)) is not None:
            return
    if file is not None:
        erase_file(ground, file)
    with ground.database.write() as session:
        session.execute(update(Job).where(Job.id == job.id).values(inputs_erased_at=db_now()))


def _erase_outputs(ground: Ground, job: Job) -> None:
    if not _erase_what_came_of_it(ground, job):
        return
    ground.storage.delete(list(ground.storage.list(f"jobs/{job.id}/")))
    with ground.database.write() as session:
        session.execute(update(Shard).where(Shard.job_id == job.id).values(summary=None))
        erased: dict[str, Any] = {"outputs_erased_at": db_now(), "summary": None}
        opened = delete(OpenedPictures).where(OpenedPictures.job_id == job.id)
        if session.scalars(opened.returning(OpenedPictures.first)).first() is not None:
            # A worker that was at some may still write them.
            erased["tidy_at"] = db_now() + TIDY_AFTER_S
        session.execute(update(Job).where(Job.id == job.id).values(**erased))


def _erase_what_came_of_it(ground: Ground, job: Job) -> bool:
    """Erase a job's shadows, and the answers that comparisons keep; their figures stay.

    False when a shadow cannot be erased yet: a worker is claiming of it at this very moment.
    """
    trials = words_of(lambda kind: kind.is_trial)
    of_it = Job.parent_id == job.id, Job.kind.in_(trials), Job.outputs_erased_at.is_(None)
    with ground.database.read() as session:
        shadows = session.scalars(select(Job.id).where(*of_it)).all()
    for shadow_id in shadows:
        with ground.database.write() as session:
            shadow = discard(session, shadow_id)
        if shadow.status not in TERMINAL:
            return False
        erase_deleted(ground, shadow)
    with ground.database.write() as session:
        # Nobody names new ones from now on; who was at it may still write some, and die.
        begun = select(Comparison.job_id).where(
            _is_of(job), Comparison.ended_at.is_(None), Comparison.fence > 0
        )
        tidy_at = db_now() + TIDY_AFTER_S
        session.execute(update(Job).where(Job.id.in_(begun)).values(tidy_at=tidy_at))
        still_open = update(Comparison).where(_is_of(job), Comparison.ended_at.is_(None))
        session.execute(still_open.values(ended_at=db_now(), failure=RESULTS_GONE))
        kept = select(Comparison.changes).where(_is_of(job), Comparison.changes.is_not(None))
        changes = [blob for blob in session.scalars(kept) if blob is not None]
    ground.storage.delete(changes)
    with ground.database.write() as session:
        session.execute(update(Comparison).where(_is_of(job)).values(changes=None))
        kind_of(job).forget(session, job, RESULTS_GONE)
    return True


def _is_of(job: Job) -> ColumnElement[bool]:
    """Say in SQL whether a comparison holds something of a job's."""
    return or_(Comparison.job_id == job.id, Comparison.parent_id == job.id)
