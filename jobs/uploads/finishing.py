"""Makes one file of an upload's parts, and erases what is left of uploads that are over.

    finishing ──lease──► parts ──stream──► blob ──► one transaction: file, finished ──► parts erased
                 ▲                 │
                 └─────────────────┘ it died: the next begins anew, under a fresh name

Leased as jobs.leases says, so that nobody's request has to wait for gigabytes to be copied.
"""

import hashlib
from collections.abc import Iterator

import structlog
from sqlalchemy import delete, exists, select, true, update

from jobs.base.bootstrap import Ground
from jobs.base.database import db_now
from jobs.base.ids import new_id
from jobs.base.states import UploadState
from jobs.base.storage import BlobMissing, StorageError, input_name
from jobs.inputs.files import add_file
from jobs.leases.leased import Leased
from jobs.leases.leases import Lease, LeaseLost, hand_back, lease_within, locked
from jobs.leases.renewing import Heart
from jobs.leases.working import work_on_next
from jobs.tables import Upload, UploadPart
from jobs.uploads.receiving import parts_of
from jobs.uploads.uploads import KEPT_S, erase_parts

log = structlog.get_logger(__name__)

FINISHINGS = Leased(
    name="finishing",
    table=Upload,
    key=(Upload.id,),
    fence=Upload.fence,
    until=Upload.until,
    is_open=Upload.state == UploadState.FINISHING,
    due=true(),
    order=Upload.id,
)

_AT_ONCE = 20
_OVER = (UploadState.FINISHED, UploadState.EXPIRED)


def finish_next(ground: Ground) -> bool:
    """Finish the upload that has waited for longest; False when none waits.

    Raises StorageError when the store is away: the upload is tried again after a pause.
    """
    return work_on_next(ground, FINISHINGS, lambda lease: _finish(ground, lease)) is not None


def finish_now(ground: Ground, upload_id: str) -> None:
    """Finish one upload in this thread, if nobody else does; a failure leaves it to finish_next."""
    with ground.database.write() as session:
        lease = lease_within(session, ground.settings, FINISHINGS, Upload.id == upload_id)
    if lease is None:
        return
    try:
        _finish(ground, lease)
    except LeaseLost:
        log.info("finishing_lost", key=lease.key)
    except StorageError as err:
        log.warning("finishing_waits_for_storage", key=lease.key, error=str(err))
        hand_back(ground, lease)


def expire_uploads(ground: Ground) -> int:
    """End uploads to which nothing came for long, erase parts of what is over, forget old rows."""
    expired = _expire(ground)
    for upload_id in _with_parts_to_erase(ground):
        try:
            erase_parts(ground, upload_id)
        except StorageError as err:
            # It stays due, and the others are not kept waiting.
            log.warning("erasure_failed", upload=upload_id, error=str(err))
    _forget(ground)
    return expired


def _finish(ground: Ground, lease: Lease[Upload]) -> None:
    upload = lease.row
    if lease.is_used_up(ground.settings):
        _give_up(ground, lease)
        return
    blob = input_name(upload.tenant_id, new_id("file"))
    sha256 = hashlib.sha256()
    try:
        ground.storage.put(blob, _bytes_of(ground, lease, sha256))
    except BlobMissing as err:
        log.error("upload_part_missing", upload=upload.id, error=str(err))
        _give_up(ground, lease)
        return
    try:
        _commit(ground, lease, blob, sha256.hexdigest())
    except LeaseLost:
        ground.storage.delete([blob])
        raise
    ground.hints.tell_moved(upload.id)
    log.info("upload_finished", upload=upload.id, bytes=upload.length)
    erase_parts(ground, upload.id)


def _bytes_of(ground: Ground, lease: Lease[Upload], sha256: "hashlib._Hash") -> Iterator[bytes]:
    """Give an upload's bytes in their order, hashed on the way, for as long as it is leased."""
    heart, at = Heart(ground, lease), 0
    with ground.database.read() as session:
        parts = parts_of(session, lease.row.id)
    for part in parts:
        assert part.start == at, "parts are added in order and without a gap"
        for chunk in ground.storage.stream(part.blob):
            at += len(chunk)
            sha256.update(chunk)
            yield chunk
            heart.beat()
    assert at == lease.row.length, "an upload is finished once all of it is here"


def _commit(ground: Ground, lease: Lease[Upload], blob: str, sha256: str) -> None:
    with ground.database.write() as session:
        upload = locked(session, lease)
        if upload is None:
            raise LeaseLost
        file = add_file(
            session,
            upload.tenant_id,
            upload.filename,
            upload.purpose,
            blob,
            upload.length,
            sha256,
        )
        upload.state = UploadState.FINISHED
        upload.file_id = file.id
        upload.expires_at = file.created_at + KEPT_S


def _give_up(ground: Ground, lease: Lease[Upload]) -> None:
    with ground.database.write() as session:
        ended = update(Upload).where(lease.is_held)
        session.execute(ended.values(state=UploadState.EXPIRED, expires_at=db_now() + KEPT_S))
    ground.hints.tell_moved(lease.row.id)


def _expire(ground: Ground) -> int:
    late = Upload.state == UploadState.RECEIVING, Upload.expires_at <= db_now()
    with ground.database.read() as session:
        if session.scalar(select(Upload.id).where(*late).limit(1)) is None:
            return 0
    ended = update(Upload).where(*late).returning(Upload.id)
    values = {"state": UploadState.EXPIRED, "expires_at": db_now() + KEPT_S}
    with ground.database.write() as session:
        found = session.scalars(
            ended.values(values), execution_options={"synchronize_session": False}
        )
        return len(found.all())


def _with_parts_to_erase(ground: Ground) -> list[str]:
    over = select(Upload.id).where(
        Upload.state.in_(_OVER), exists().where(UploadPart.upload_id == Upload.id)
    )
    with ground.database.read() as session:
        return list(session.scalars(over.limit(_AT_ONCE)))


def _forget(ground: Ground) -> None:
    has_parts = exists().where(UploadPart.upload_id == Upload.id)
    with ground.database.read() as session:
        old = select(Upload.id).where(
            Upload.state.in_(_OVER), Upload.expires_at < db_now(), ~has_parts
        )
        ids = session.scalars(old.limit(_AT_ONCE)).all()
    if ids:
        with ground.database.write() as session:
            session.execute(delete(Upload).where(Upload.id.in_(ids)))
