"""Bytes of an upload as they come: parts, each a blob of its own, in order and without a gap.

A part is added by one conditional update: at the place where the part before it ends. Of two
requests that bring bytes at once, one adds its part and the other is refused, for the place has
moved on; so nothing lies over another, and a request that was cut off and still lives does no harm.
What it had received first counts: whoever comes after it goes on from there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import case, func, select, update
from sqlalchemy.orm import Session

from jobs.base.bootstrap import Ground
from jobs.base.database import db_now
from jobs.base.errors import Conflict, TooLarge
from jobs.base.states import UploadState
from jobs.base.storage import upload_part_name
from jobs.tables import Upload, UploadPart

_NO_SESSION = {"synchronize_session": False}

# Of one upload: parts of whole 8 MiB are far fewer, and each is a row and a blob.
MOST_PARTS = 10_000


@dataclass(frozen=True, slots=True)
class Part:
    """A run of bytes that is stored and not yet added."""

    start: int
    length: int
    blob: str


def check_place(upload: Upload, offset: int) -> None:
    """Refuse bytes that do not begin where an upload stands; raises Conflict."""
    if upload.state is not UploadState.RECEIVING:
        raise Conflict(f"The upload {upload.id!r} has all of its {upload.length:,} bytes.")
    if upload.received != offset:
        raise Conflict(
            f"The upload {upload.id!r} stands at byte {upload.received:,}, not at {offset:,}. Go "
            "on from there.",
            param="Upload-Offset",
        )


def store_part(ground: Ground, upload_id: str, start: int, chunks: Iterable[bytes]) -> Part:
    """Store a run of bytes under a fresh name; raises StorageError, and nothing is left then."""
    blob, length = upload_part_name(upload_id, start), 0

    def counted() -> Iterable[bytes]:
        nonlocal length
        for chunk in chunks:
            length += len(chunk)
            yield chunk

    ground.storage.put(blob, counted())
    return Part(start, length, blob)


def add_parts(ground: Ground, upload_id: str, parts: Sequence[Part]) -> bool:
    """Add stored parts, one after the other, all or none; says whether the upload is whole now.

    Raises Conflict when another request was faster, or the upload is over, and TooLarge when it
    has too many already; they are erased then.
    """
    if not parts:
        return False
    _check_count(ground, upload_id, parts)
    end = parts[-1].start + parts[-1].length
    # A commit whose answer was lost may have happened: then the parts are the upload's, and stay.
    with ground.database.write() as session:
        state = _advance(session, ground.settings.upload_s, upload_id, parts[0].start, end)
        session.add_all(
            UploadPart(upload_id=upload_id, start=part.start, length=part.length,
                       blob=part.blob)
            for part in parts
            if state is not None
        )  # fmt: skip
    if state is None:
        drop_parts(ground, parts)
        raise Conflict(
            "Another request has brought these bytes of the upload meanwhile, or it is over. Ask "
            "for its offset (HEAD), and go on from there."
        )
    return state is UploadState.FINISHING


def _check_count(ground: Ground, upload_id: str, parts: Sequence[Part]) -> None:
    kept = select(func.count()).where(UploadPart.upload_id == upload_id)
    with ground.database.read() as session:
        count = session.scalar(kept) or 0
    if count + len(parts) > MOST_PARTS:
        drop_parts(ground, parts)
        raise TooLarge(
            f"The upload {upload_id!r} came in {MOST_PARTS:,} pieces, the most that one may have. "
            "Begin it anew, with pieces of some MiB."
        )


def drop_parts(ground: Ground, parts: Sequence[Part]) -> None:
    """Erase parts that were not added."""
    ground.storage.delete([part.blob for part in parts])


def parts_of(session: Session, upload_id: str) -> Sequence[UploadPart]:
    """Give an upload's parts in their order."""
    query = select(UploadPart).where(UploadPart.upload_id == upload_id)
    return session.scalars(query.order_by(UploadPart.start)).all()


def _advance(
    session: Session, lifetime_s: float, upload_id: str, start: int, end: int
) -> UploadState | None:
    """Move an upload's offset; gives its state, None when it does not stand at `start`."""
    is_whole = Upload.length == end
    moved = (
        update(Upload)
        .where(
            Upload.id == upload_id,
            Upload.state == UploadState.RECEIVING,
            Upload.received == start,
            Upload.length >= end,
        )
        .values(
            received=end,
            state=case((is_whole, UploadState.FINISHING), else_=UploadState.RECEIVING),
            expires_at=db_now() + lifetime_s,
        )
        .returning(Upload.state)
    )
    return session.scalar(moved, execution_options=_NO_SESSION)
