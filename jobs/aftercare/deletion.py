"""Deleting a job: ended at once, hidden at once, and erased with everything that it holds.

    DELETE ──► shards fenced off, job cancelled, deleted_at set ──► blobs erased, row emptied
                        one transaction                        this request, else the sweeper

What a worker still computes of it is discarded by the fence, and its segment deleted. The row stays
without anything that the caller had said: a repeated submission under the same Idempotency-Key must
not make the job anew, and the receipt can be asked for again.

What was written into its caller's bucket stays there, as far as it was written.

Its shadows go with it, and before it. Its reruns and retries stay: they are jobs of their own, but
find its inputs gone, and what they were compared by is erased.
"""

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from jobs.aftercare.retention import erase_deleted
from jobs.base.bootstrap import Ground
from jobs.base.errors import NotFound
from jobs.base.states import TERMINAL
from jobs.base.storage import StorageError
from jobs.queue.completion import discard
from jobs.tables import Job

log = structlog.get_logger(__name__)

# More would keep the caller waiting too long; they are left to the sweeper.
_MOST_SEGMENTS = 1000


def delete_job(ground: Ground, tenant_id: str, job_id: str) -> Job:
    """Delete a tenant's job; gives its emptied row. Repeating it is harmless. Raises NotFound.

    `outputs_erased_at` of the row is None when some of it is still to be erased: because it is
    large, a worker was claiming a shard at that very moment, or the store is away.
    """
    with ground.database.write() as session:
        _check_owner(session, tenant_id, job_id)
        job = discard(session, job_id)
    is_small = job.commits <= _MOST_SEGMENTS
    if job.status in TERMINAL and job.outputs_erased_at is None and is_small:
        try:
            erase_deleted(ground, job)
        except StorageError as err:
            log.warning("erasure_waits_for_storage", job=job_id, error=str(err))
    with ground.database.read() as session:
        return session.get_one(Job, job_id)


def _check_owner(session: Session, tenant_id: str, job_id: str) -> None:
    owner = session.scalar(select(Job.tenant_id).where(Job.id == job_id))
    if owner != tenant_id:
        raise NotFound(f"There is no job {job_id!r}.")
