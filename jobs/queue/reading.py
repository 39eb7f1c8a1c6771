"""Reading jobs for their owner: one, or a page of them, newest first."""

import json

from sqlalchemy import Text, bindparam, cast, func, select
from sqlalchemy.orm import Session

from jobs.base.database import Database
from jobs.base.errors import NotFound
from jobs.base.states import JobStatus, Outcome
from jobs.kinds.table import words_of
from jobs.tables import IdempotencyKey, Job, Table

_jobs = Table.metadata.tables["jobs"].c
# Built once: who waits for a job asks it whenever that has moved.
_OPEN = select(_jobs.id).where(
    _jobs.id == bindparam("this_job"),
    _jobs.tenant_id == bindparam("of_tenant"),
    _jobs.ended_at.is_(None),
)


def get_job(session: Session, tenant_id: str, job_id: str) -> Job:
    """Give a tenant's job; raises NotFound, also when it is another's or was deleted."""
    job = session.get(Job, job_id)
    if job is None or job.tenant_id != tenant_id or job.deleted_at is not None:
        raise NotFound(f"There is no job {job_id!r}.")
    return job


def is_over(database: Database, tenant_id: str, job_id: str) -> bool:
    """Say whether a tenant's job runs no more, or is not there; of its row nothing else is read."""
    wanted = {"this_job": job_id, "of_tenant": tenant_id}
    with database.read() as session:
        return session.connection().scalar(_OPEN, wanted) is None


def traceparent_of(database: Database, job_id: str) -> str | None:
    """Give the span that submitted a job; None where it has no trace, or is not there."""
    with database.read() as session:
        return session.scalar(select(Job.traceparent).where(Job.id == job_id))


def list_jobs(
    session: Session,
    tenant_id: str | None,
    *,
    after: str | None,
    limit: int,
    status: JobStatus | None = None,
    outcome: Outcome | None = None,
    model: str | None = None,
    idempotency_key: str | None = None,
    in_metadata: str | None = None,
    watch: str | None = None,
    oldest_first: bool = False,
) -> list[Job]:
    """Give up to `limit` jobs that come after `after`, newest first or oldest first.

    Those of a tenant, or with None of all; what has a list of its own, or none, is left out.

    Ids sort by time. Under an `idempotency_key` there is one at most; `in_metadata` is text that
    stands in the metadata, in whatever case.
    """
    query = select(Job).where(
        Job.deleted_at.is_(None), Job.kind.in_(words_of(lambda kind: kind.is_listed))
    )
    if tenant_id is not None:
        query = query.where(Job.tenant_id == tenant_id)
    query = query.order_by(Job.id.asc() if oldest_first else Job.id.desc()).limit(limit)
    if after is not None:
        query = query.where(Job.id > after if oldest_first else Job.id < after)
    if status is not None:
        query = query.where(Job.status == status)
    if outcome is not None:
        query = query.where(Job.outcome == outcome)
    if model is not None:
        query = query.where(Job.model_name == model)
    if in_metadata is not None:
        # As the column's JSON writes it.
        written = json.dumps(in_metadata)[1:-1].lower()
        text = func.lower(cast(Job.metadata_, Text))
        query = query.where(text.contains(written, autoescape=True))
    if watch is not None:
        query = query.where(Job.watch_id == watch)
    if idempotency_key is not None:
        under_key = select(IdempotencyKey.job_id).where(
            IdempotencyKey.tenant_id == Job.tenant_id,
            IdempotencyKey.job_id == Job.id,
            IdempotencyKey.key == idempotency_key,
        )
        query = query.where(under_key.exists())
    return list(session.scalars(query))
