"""Erases uploaded files, and with each what jobs have copied of it.

    mark its jobs ──► delete its bytes ──► delete its row      whoever erases it
                                └────────► delete the copies   tidying, once each job is over

From the mark on no job shows a picture of it any more. A crash in between leaves the row: the
erasure can be repeated. The copies are small pictures (jobs.results.thumbnails) and packs of what
stood inside of it (jobs.inputs.packs).
"""

import structlog
from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.orm import Session

from jobs.base.bootstrap import Ground
from jobs.base.database import db_now
from jobs.base.errors import NotFound
from jobs.base.storage import StorageError
from jobs.inputs.files import get_file
from jobs.queue.completion import TIDY_AFTER_S
from jobs.tables import File, Job

log = structlog.get_logger(__name__)

_AT_ONCE = 20


def delete_file(ground: Ground, tenant_id: str, file_id: str) -> File:
    """Delete a tenant's file; raises NotFound, and StorageError when it is to be repeated."""
    with ground.database.read() as session:
        file = get_file(session, tenant_id, file_id)
    erase_file(ground, file)
    return file


def erase_file(ground: Ground, file: File) -> None:
    """Erase a file, and have its jobs show and keep nothing of it; raises StorageError."""
    with ground.database.write() as session:
        _mark_its_jobs(session, file)
    # In no transaction: a store may take its time, and nobody should wait for it.
    ground.storage.delete([file.blob])
    with ground.database.write() as session:
        session.execute(delete(File).where(File.id == file.id))


def erase_expired_files(ground: Ground) -> int:
    """Erase some of the files whose time is over and that no job needs; gives their number."""
    needed = exists().where(Job.input_file_id == File.id, Job.ended_at.is_(None))
    with ground.database.read() as session:
        due = select(File).where(File.expires_at < db_now(), ~needed)
        found = session.scalars(due.order_by(File.expires_at).limit(_AT_ONCE)).all()
    erased = 0
    for file in found:
        try:
            delete_file(ground, file.tenant_id, file.id)
        except NotFound:
            # Somebody else has just done it.
            continue
        except StorageError as err:
            # It stays due, and the others are not kept waiting.
            log.warning("erasure_failed", file=file.id, error=str(err))
            continue
        erased += 1
    return erased


def _mark_its_jobs(session: Session, file: File) -> None:
    """Say of a file's jobs that their inputs are gone, and have those that are over tidied.

    Those that are not over are tidied after their end (jobs.queue.completion.close).
    """
    over_it = (
        Job.tenant_id == file.tenant_id,
        Job.input_file_id == file.id,
        Job.inputs_erased_at.is_(None),
        Job.outputs_erased_at.is_(None),
    )
    tidy_at = func.coalesce(Job.ended_at + TIDY_AFTER_S, Job.tidy_at)
    session.execute(update(Job).where(*over_it).values(inputs_erased_at=db_now(), tidy_at=tidy_at))
