"""How a job comes to exist: in one transaction, after which the caller is answered 202.

An input that came inside the request is prepared at once; an uploaded file, or the items of another
job, are left to an io worker (`jobs.intake.preparation`). Either way the job, its shards and the
caller's Idempotency-Key are stored together or not at all, and hints leave only after the commit.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from jobs.base.bootstrap import Ground
from jobs.base.database import db_now
from jobs.base.errors import Conflict, IdempotencyMismatch
from jobs.base.hints import IO
from jobs.base.ids import new_id
from jobs.base.states import JobKind, JobStatus
from jobs.base.storage import manifest_name
from jobs.events.numbering import Moment, number_events
from jobs.inputs.items import Upload, items_of_requests, items_of_uploads
from jobs.inputs.manifests import Item, write_manifest
from jobs.inputs.packs import Pack
from jobs.inputs.requests import Request
from jobs.kinds.submitted import SUBMITTED
from jobs.kinds.table import kind_of
from jobs.queue.shards import insert_shards
from jobs.tables import IdempotencyKey, Job, ModelVersion, Requested, Table
from jobs.versions.registry import hold_version


@dataclass(frozen=True, slots=True)
class Submission:
    """A job as its caller wants it, checked.

    Exactly one of the four inputs is set, or `parent_id`, whose items are then the input.
    """

    tenant_id: str
    model: ModelVersion
    params: dict[str, Any]
    requested: dict[str, Any]
    pool: str
    input_file_id: str | None = None
    requests: tuple[Request, ...] | None = None
    uploads: tuple[Upload, ...] | None = None
    # Where in a bucket the items lie (jobs.intake.bucket_items); also of a child whose parent's
    # items lie there.
    source: dict[str, Any] | None = None
    priority: str = "normal"
    metadata: dict[str, str] | None = None
    webhook: dict[str, Any] | None = None
    # Where in a bucket the results are to be written (jobs.outputs).
    output: dict[str, Any] | None = None
    completion_window: str | None = None
    completion_window_s: float = 86400.0
    output_expires_after: int | None = None
    delete_inputs: bool = False
    overlays: bool = False
    gallery: bool = False
    kind: JobKind = SUBMITTED.word
    parent_id: str | None = None
    # Where the id decided which version the job is given (jobs.versions.canaries): that id, and the
    # trial.
    job_id: str | None = None
    canary_id: str | None = None
    # The watch that found its items (jobs.watches).
    watch_id: str | None = None
    # The span of the request that submits it (jobs.base.traces).
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A caller's key, and what identifies the request that it was first used with."""

    key: str
    fingerprint: str


def fingerprint(*parts: object) -> str:
    """Give a digest by which a repeated request is known from a changed one."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def submit(
    ground: Ground, submission: Submission, idempotency: Idempotency | None = None
) -> tuple[Job, bool]:
    """Store a job; gives it, and False when it is the job of an earlier, equal request.

    Raises InvalidInput when an inline item is at fault and IdempotencyMismatch when the key was
    used with another body; nothing is stored then.
    """
    earlier = find_earlier(ground, submission.tenant_id, idempotency)
    if earlier is not None:
        return earlier, False
    job = new_job(submission)
    shards: list[dict[str, Any]] = []
    elsewhere = (submission.input_file_id, submission.parent_id, submission.source)
    if all(each is None for each in elsewhere):
        with ground.traces.begin("prepare", job.traceparent) as span:
            shards = _prepare_inline(ground, submission, job)
            span.say({"pixelmill.items": job.total})
    return store_job(ground, job, shards, idempotency, submission.completion_window_s)


def store_job(
    ground: Ground,
    job: Job,
    shards: list[dict[str, Any]],
    idempotency: Idempotency | None,
    window_s: float,
    rows: Sequence[Table] = (),
) -> tuple[Job, bool]:
    """Store a new job and the `rows` that belong to it, and send hints; gives what `submit` does.

    Without shards it waits to be prepared.
    """
    try:
        with ground.traces.begin("submit", job.traceparent, {"pixelmill.job": job.id}):
            _store(ground, job, shards, idempotency, window_s, rows)
    except IntegrityError:
        _discard(ground, job)
        earlier = find_earlier(ground, job.tenant_id, idempotency)
        if earlier is None:
            raise
        return earlier, False
    except Exception as err:
        # When the connection broke during COMMIT nobody knows whether the job exists: then what
        # was written for it has to stay.
        if not (isinstance(err, DBAPIError) and err.connection_invalidated):
            _discard(ground, job)
        raise
    ground.hints.send(job.pool if shards else IO, len(shards) or 1)
    ground.hints.tell_moved(job.id)
    return job, True


def rehearse(ground: Ground, submission: Submission) -> int | None:
    """Check inline items as `submit` does and keep nothing; gives their number.

    Raises what `submit` would. Gives None for what nobody has walked yet: an uploaded file, and a
    bucket (jobs.intake.bucket_items counts it).
    """
    if submission.requests is None and submission.uploads is None:
        return None
    job = new_job(submission)
    try:
        _prepare_inline(ground, submission, job)
    finally:
        _discard(ground, job)
    return job.total


def find_earlier(ground: Ground, tenant_id: str, idempotency: Idempotency | None) -> Job | None:
    """Give the job of an earlier, equal request.

    Raises IdempotencyMismatch for another request, and Conflict when that job was deleted.
    """
    if idempotency is None:
        return None
    with ground.database.read() as session:
        row = session.get(IdempotencyKey, (tenant_id, idempotency.key))
        if row is None:
            return None
        if row.fingerprint != idempotency.fingerprint:
            raise IdempotencyMismatch(
                f"The Idempotency-Key {idempotency.key!r} was used before with another request. "
                "Use a new key for a new job.",
                param="Idempotency-Key",
            )
        job = session.get_one(Job, row.job_id)
    if job.deleted_at is not None:
        raise Conflict(
            f"The job of the Idempotency-Key {idempotency.key!r} was deleted. Use a new key to "
            "run it again.",
            param="Idempotency-Key",
        )
    return job


def new_job(submission: Submission) -> Job:
    """Give the row of a job to be stored, without its items."""
    return Job(
        id=submission.job_id or new_id("job"),
        tenant_id=submission.tenant_id,
        kind=submission.kind,
        parent_id=submission.parent_id,
        status=JobStatus.VALIDATING,
        requested=submission.requested,
        model_name=submission.model.name,
        model_version=submission.model.version,
        model_digest=submission.model.digest,
        canary_id=submission.canary_id,
        watch_id=submission.watch_id,
        pool=submission.pool,
        params=submission.params,
        priority=submission.priority,
        input_file_id=submission.input_file_id,
        source=submission.source,
        metadata_=submission.metadata or {},
        webhook=submission.webhook,
        output=submission.output,
        completion_window=submission.completion_window,
        output_expires_after=submission.output_expires_after,
        delete_inputs=submission.delete_inputs,
        overlays=submission.overlays,
        gallery=submission.gallery,
        traceparent=submission.traceparent,
    )


def _prepare_inline(ground: Ground, submission: Submission, job: Job) -> list[dict[str, Any]]:
    job.manifest = manifest_name(job.id)
    with Pack(ground.storage, job.id) as pack:
        job.total = write_manifest(
            ground.storage,
            job.manifest,
            _inline_items(ground, submission, pack),
            max_items=ground.settings.max_inline_items,
            max_errors=ground.settings.max_line_errors,
            repeats="refused" if submission.uploads is None else "told_apart",
        )
    return kind_of(job).cut(job, job.total, submission.model.shard_items)


def _inline_items(ground: Ground, submission: Submission, pack: Pack) -> Iterator[Item]:
    if submission.requests is not None:
        requests: Iterable[Request] = submission.requests
        requested = Requested.read(submission.requested)
        return items_of_requests(ground, submission.tenant_id, requests, pack, requested)
    return items_of_uploads(submission.uploads or (), pack)


def insert_job(
    session: Session,
    job: Job,
    shards: list[dict[str, Any]],
    window_s: float,
    rows: Sequence[Table] = (),
) -> None:
    """Insert a new job with its shards and `rows`, in a transaction that may do more.

    Raises UnknownModel when its version was deleted just now.
    """
    if kind_of(job).has_version:
        job.created_at = hold_version(session, job.model_name, job.model_version)
    else:
        job.created_at = session.scalar(select(db_now())) or 0.0
    job.expires_at = job.created_at + window_s
    session.add(job)
    number_events(session, job, Moment.CREATED, *((Moment.BEGUN,) if shards else ()))
    if shards:
        job.status = JobStatus.IN_PROGRESS
        job.in_progress_at = job.created_at
        insert_shards(session, job, shards)
    session.flush()
    session.add_all([*rows, *kind_of(job).rows(job)])


def _store(
    ground: Ground,
    job: Job,
    shards: list[dict[str, Any]],
    idempotency: Idempotency | None,
    window_s: float,
    rows: Sequence[Table],
) -> None:
    with ground.database.write() as session:
        insert_job(session, job, shards, window_s, rows)
        if idempotency is not None:
            session.add(
                IdempotencyKey(
                    tenant_id=job.tenant_id,
                    key=idempotency.key,
                    fingerprint=idempotency.fingerprint,
                    job_id=job.id,
                    created_at=job.created_at,
                )
            )


def _discard(ground: Ground, job: Job) -> None:
    """Delete what was written for a job that did not come to exist."""
    ground.storage.delete(list(ground.storage.list(f"jobs/{job.id}/")))
