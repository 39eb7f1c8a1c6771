"""Looks after what nobody else will: leases, deadlines, hints, canaries, erasures, leftovers.

Runs every few seconds and is safe to run twice at once: each step is a conditional update of its
own.
"""

import threading

import structlog
from sqlalchemy import func, select

from jobs.aftercare.retention import erase_due
from jobs.aftercare.tidying import tidy_due
from jobs.aftercare.uploaded_files import erase_expired_files
from jobs.base.bootstrap import Ground
from jobs.base.hints import IO
from jobs.metrics import metrics
from jobs.presence.workers import forget_silent
from jobs.queue.completion import expire_overdue
from jobs.queue.shard_leases import expire
from jobs.tables import Job
from jobs.uploads.finishing import expire_uploads
from jobs.versions.canaries import judge_canaries
from jobs.versions.deletion import erase_versions
from workers.errands.waiting import has_errand

log = structlog.get_logger(__name__)


# The store may be slow: no more than one thread of a process waits for it.
_cleaning = threading.Lock()


def sweep(ground: Ground) -> None:
    """Do one round."""
    expired = expire(ground.database)
    metrics.LEASES_EXPIRED.inc(expired)
    overdue = expire_overdue(ground.database)
    for pool, shards in _waiting(ground).items():
        ground.hints.send(pool, shards)
    if has_errand(ground.database):
        ground.hints.send(IO)
    judge_canaries(ground.database)
    if expired or overdue:
        log.info("swept", leases_expired=expired, jobs_expired=overdue)
    if _cleaning.acquire(blocking=False):
        try:
            _clean(ground)
        finally:
            _cleaning.release()


def _clean(ground: Ground) -> None:
    done = {
        "jobs_erased": erase_due(ground),
        "files_erased": erase_expired_files(ground),
        "uploads_expired": expire_uploads(ground),
        "blobs_tidied": tidy_due(ground),
        "weights_erased": erase_versions(ground),
        "workers_forgotten": forget_silent(ground.database),
    }
    if any(done.values()):
        log.info("cleaned", **done)


def _waiting(ground: Ground) -> dict[str, int]:
    """Count the shards that wait in each pool."""
    with ground.database.read() as session:
        found = session.execute(
            select(Job.pool, func.sum(Job.pending_shards))
            .where(Job.pending_shards > 0)
            .group_by(Job.pool)
        )
        return {pool: int(count) for pool, count in found}
