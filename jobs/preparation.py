"""How an uploaded input becomes a manifest and shards: the work of an io worker.

A job in `validating` is leased like a shard is: claimed with a number, renewed on the way, and
written back only under that number. A worker that dies leaves the job where it was, and the next
begins again under new names.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import structlog
from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from jobs.bootstrap import Ground
from jobs.completion import close
from jobs.database import Database, db_now
from jobs.errors import InvalidInput, NotFound
from jobs.files import get_file
from jobs.inputs import Agreed, items_of_file
from jobs.manifests import Item, write_manifest
from jobs.packs import Pack
from jobs.states import JobStatus
from jobs.storage import manifest_name
from jobs.submission import cut_shards, insert_shards
from jobs.tables import Job, ModelVersion

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Turn:
    """The right to prepare one job."""

    job: Job
    attempt: int


class _Lost(Exception):
    """Another worker prepares the job by now, or it has been cancelled."""


def prepare_next(ground: Ground) -> str | None:
    """Prepare the job that has waited for longest; gives its id, None when none waits."""
    turn = _claim(ground)
    if turn is None:
        return None
    job = turn.job
    bound = log.bind(job=job.id, tenant=job.tenant_id)
    try:
        if turn.attempt > ground.settings.max_attempts:
            raise InvalidInput(
                "The input could not be read in several tries. Send it again, or in parts.",
                code="preparation_failed",
            )
        manifest, total = _write(ground, turn)
    except (InvalidInput, NotFound) as err:
        _refuse(ground, turn, err)
        bound.info("job_refused", reason=err.message)
    except _Lost:
        bound.info("preparation_lost")
    else:
        shards = _begin(ground, turn, manifest, total)
        bound.info("job_prepared", items=total, shards=shards)
        ground.hints.send(job.pool, shards)
    return job.id


def has_unprepared(database: Database) -> bool:
    """Say whether a job waits to be prepared; a read that disturbs nobody."""
    with database.read() as session:
        return session.scalar(_waiting()) is not None


def _waiting() -> Select[str]:
    return (
        select(Job.id)
        .where(
            Job.status == JobStatus.VALIDATING,
            Job.ended_at.is_(None),
            Job.prepare_until.is_(None) | (Job.prepare_until < db_now()),
        )
        .order_by(Job.id)
        .limit(1)
    )


def _claim(ground: Ground) -> _Turn | None:
    with ground.database.write() as session:
        oldest = _waiting().with_for_update(skip_locked=True).scalar_subquery()
        job = session.scalar(
            update(Job)
            .where(Job.id == oldest, Job.status == JobStatus.VALIDATING)
            .values(
                prepare_attempt=Job.prepare_attempt + 1,
                prepare_until=db_now() + ground.settings.lease_s,
            )
            .returning(Job)
        )
        return _Turn(job, job.prepare_attempt) if job is not None else None


def _write(ground: Ground, turn: _Turn) -> tuple[str, int]:
    job, name = turn.job, manifest_name(turn.job.id)
    with ground.database.read() as session:
        file = get_file(session, job.tenant_id, job.input_file_id or "")
    agreed = Agreed(**job.requested)
    with Pack(ground.storage, job.id) as pack:
        items = items_of_file(ground, file, pack, agreed)
        total = write_manifest(
            ground.storage,
            name,
            _renewing(ground, turn, items),
            max_items=ground.settings.max_items,
            max_errors=ground.settings.max_line_errors,
        )
    return name, total


def _renewing(ground: Ground, turn: _Turn, items: Iterable[Item]) -> Iterator[Item]:
    """Pass items on, and renew the lease now and then; raises _Lost when it is gone."""
    due = time.monotonic() + ground.settings.renew_s
    for item in items:
        yield item
        if time.monotonic() > due:
            with ground.database.write() as session:
                if not _touch(session, turn, ground.settings.lease_s):
                    raise _Lost
            due = time.monotonic() + ground.settings.renew_s


def _touch(session: Session, turn: _Turn, lease_s: float) -> Job | None:
    """Renew under the turn's number; None when the turn is over."""
    return session.scalar(
        update(Job)
        .where(
            Job.id == turn.job.id,
            Job.prepare_attempt == turn.attempt,
            Job.status == JobStatus.VALIDATING,
        )
        .values(prepare_until=db_now() + lease_s)
        .returning(Job),
        execution_options={"populate_existing": True},
    )


def _begin(ground: Ground, turn: _Turn, manifest: str, total: int) -> int:
    """Cut the shards and set the job to run; gives their number, 0 when the turn is over."""
    with ground.database.write() as session:
        job = _touch(session, turn, ground.settings.lease_s)
        if job is None:
            ground.storage.delete([manifest])
            return 0
        version = session.get_one(ModelVersion, (job.model_name, job.model_version))
        shards = cut_shards(job.id, total, version.record["shard_items"])
        job.status = JobStatus.IN_PROGRESS
        job.manifest, job.total = manifest, total
        job.in_progress_at = session.scalar(select(db_now()))
        insert_shards(session, job, shards)
        return len(shards)


def _refuse(ground: Ground, turn: _Turn, err: InvalidInput | NotFound) -> None:
    with ground.database.write() as session:
        job = _touch(session, turn, ground.settings.lease_s)
        if job is None:
            return
        if isinstance(err, InvalidInput):
            job.errors = list(err.lines) or [
                {"code": err.reason, "message": err.message, "param": err.param, "line": None}
            ]
        close(session, job, JobStatus.FAILED, err.message)
