"""Uploads that resume: begun, found, listed, ended by their callers.

create ──► receiving ──last byte──► finishing ──► finished: a file
               │                        │
               └────────── end ─────────┴──► parts erased, row gone
"""

from collections.abc import Sequence

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from jobs.base.bootstrap import Ground
from jobs.base.database import db_now
from jobs.base.errors import Conflict, Gone, InvalidRequest, NotFound, TooLarge
from jobs.base.ids import new_id
from jobs.base.states import UploadState
from jobs.base.storage import upload_prefix
from jobs.inputs.files import check_length
from jobs.tables import Tenant, Upload, UploadPart

UNFINISHED = (UploadState.RECEIVING, UploadState.FINISHING)
# How long it is told of one that is over what became of it.
KEPT_S = 7 * 86_400

_MOST_UNFINISHED = 1000


def create_upload(
    ground: Ground, tenant_id: str, filename: str, purpose: str, length: int, metadata: str = ""
) -> Upload:
    """Begin an upload of `length` bytes, none of which is here yet.

    Raises TooLarge past the limit of a file or of the tenant's unfinished uploads, InvalidRequest
    for an empty file.
    """
    check_length(ground, length)
    if length < 1:
        raise InvalidRequest("The file is empty: it needs at least 1 byte.", param="Upload-Length")
    with ground.database.write() as session:
        # One after the other, so that two cannot both take the last of the room.
        alone = select(Tenant.id).where(Tenant.id == tenant_id).with_for_update(key_share=True)
        session.execute(alone)
        _check_room(session, ground.settings.max_unfinished_bytes, tenant_id, length)
        now = session.scalar(select(db_now())) or 0.0
        upload = Upload(
            id=new_id("upl"),
            tenant_id=tenant_id,
            state=UploadState.RECEIVING,
            filename=filename,
            purpose=purpose,
            metadata_=metadata,
            length=length,
            received=0,
            fence=0,
            created_at=now,
            expires_at=now + ground.settings.upload_s,
        )
        session.add(upload)
    return upload


def get_upload(session: Session, tenant_id: str, upload_id: str) -> Upload:
    """Give a tenant's upload; raises NotFound, and Gone for one whose time is over."""
    upload = _find(session, tenant_id, upload_id)
    is_late = upload.state is UploadState.RECEIVING and upload.expires_at <= (
        session.scalar(select(db_now())) or 0.0
    )
    if upload.state is UploadState.EXPIRED or is_late:
        raise Gone(
            f"The upload {upload_id!r} is over: nothing came for too long, or its bytes could not "
            "be put together. Begin it anew."
        )
    return upload


def list_unfinished(
    session: Session, tenant_id: str, *, after: str | None, limit: int
) -> Sequence[Upload]:
    """Give up to `limit` uploads that are not finished and come after `after`, newest first."""
    query = (
        select(Upload)
        .where(Upload.tenant_id == tenant_id, Upload.state.in_(UNFINISHED))
        .order_by(Upload.id.desc())
        .limit(limit)
    )
    if after is not None:
        query = query.where(Upload.id < after)
    return session.scalars(query).all()


def end_upload(ground: Ground, tenant_id: str, upload_id: str) -> None:
    """End an upload and erase what came of it; the file of a finished one stays.

    Raises NotFound. One that fails half-way can be repeated, or is erased by the sweeper.
    """
    with ground.database.write() as session:
        _find(session, tenant_id, upload_id)
        # From now on no part is added, and nobody puts it together.
        ended = update(Upload).where(Upload.id == upload_id, Upload.state.in_(UNFINISHED))
        session.execute(ended.values(state=UploadState.EXPIRED, expires_at=db_now() + KEPT_S))
    erase_parts(ground, upload_id)
    with ground.database.write() as session:
        session.execute(delete(Upload).where(Upload.id == upload_id))


def erase_parts(ground: Ground, upload_id: str) -> None:
    """Erase the parts of an upload that is over: bytes first, so that it can be repeated."""
    ground.storage.delete(list(ground.storage.list(upload_prefix(upload_id))))
    with ground.database.write() as session:
        session.execute(delete(UploadPart).where(UploadPart.upload_id == upload_id))


def _find(session: Session, tenant_id: str, upload_id: str) -> Upload:
    upload = session.get(Upload, upload_id)
    if upload is None or upload.tenant_id != tenant_id:
        raise NotFound(f"There is no upload {upload_id!r}.")
    return upload


def _check_room(session: Session, limit: int, tenant_id: str, length: int) -> None:
    """Refuse one more upload past the limits of those that are not finished.

    What was announced counts, and so what is received can never be more.
    """
    unfinished = select(func.count(), func.coalesce(func.sum(Upload.length), 0)).where(
        Upload.tenant_id == tenant_id, Upload.state.in_(UNFINISHED)
    )
    count, announced = session.execute(unfinished).one()
    if int(announced) + length > limit:
        raise TooLarge(
            f"Your unfinished uploads announce {int(announced):,} bytes, and {length:,} more are "
            f"over {limit:,}, the limit here. Finish or end some: GET /v1/uploads lists them."
        )
    if count >= _MOST_UNFINISHED:
        raise Conflict(
            f"You have {count:,} unfinished uploads, the most there may be. Finish or end some: "
            "GET /v1/uploads lists them."
        )
