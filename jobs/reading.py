"""Reading jobs for their owner: one, or a page of them, newest first."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from jobs.errors import NotFound
from jobs.states import JobKind, JobStatus
from jobs.tables import Job


def get_job(session: Session, tenant_id: str, job_id: str) -> Job:
    """Give a tenant's job; raises NotFound, also when it is another's or was deleted."""
    job = session.get(Job, job_id)
    if job is None or job.tenant_id != tenant_id or job.deleted_at is not None:
        raise NotFound(f"There is no job {job_id!r}.")
    return job


def list_jobs(
    session: Session,
    tenant_id: str,
    *,
    after: str | None,
    limit: int,
    status: JobStatus | None = None,
    model: str | None = None,
) -> list[Job]:
    """Give up to `limit` jobs older than `after`, newest first; ids sort by time."""
    mine = select(Job).where(
        Job.tenant_id == tenant_id, Job.deleted_at.is_(None), Job.kind != JobKind.TRAINING
    )
    query = mine.order_by(Job.id.desc()).limit(limit)
    if after is not None:
        query = query.where(Job.id < after)
    if status is not None:
        query = query.where(Job.status == status)
    if model is not None:
        query = query.where(Job.model_name == model)
    return list(session.scalars(query))
