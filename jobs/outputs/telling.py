"""What is told of a job's output: in its view, on its page, and in events."""

from typing import Any

from sqlalchemy.orm import Session

from jobs.base.states import OutputState
from jobs.tables import Job, JobOutput


def read_output(session: Session, job: Job) -> dict[str, Any] | None:
    """Give how far a job's output is; None for a job without one."""
    return None if job.output is None else output_of(job, session.get(JobOutput, job.id))


def output_of(job: Job, row: JobOutput | None) -> dict[str, Any] | None:
    """Give a job's output as callers see it; there is no row before the job is over."""
    if job.output is None:
        return None
    error = None
    if row is not None and row.error_code is not None:
        error = {"code": row.error_code, "message": row.error_message}
    return {
        "url": job.output["url"],
        "format": job.output["format"],
        "compression": job.output.get("compression"),
        "connection": job.output.get("connection"),
        "status": (OutputState.WAITING if row is None else row.state).value,
        "error": error,
        "attempts": 0 if row is None else row.fence,
        "rows": None if row is None else row.rows,
        "bytes": None if row is None else row.bytes,
        "manifest": None if row is None else row.manifest,
    }
