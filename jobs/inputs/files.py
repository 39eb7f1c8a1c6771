"""Files: bytes that a tenant uploads, to be named later by jobs."""

import hashlib
from collections.abc import Iterable, Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from jobs.base.bootstrap import Ground
from jobs.base.database import db_now
from jobs.base.errors import InvalidRequest, NotFound, TooLarge
from jobs.base.ids import new_id
from jobs.base.storage import input_name
from jobs.tables import File

_LONGEST_NAME = 1024


def store_file(
    ground: Ground,
    tenant_id: str,
    filename: str,
    purpose: str,
    chunks: Iterable[bytes],
    lifetime_s: int | None = None,
) -> File:
    """Store a file from a stream of chunks, hashing and counting on the way.

    Raises TooLarge past the limit of one body, and InvalidRequest for an empty file; neither leaves
    anything behind.
    """
    blob = input_name(tenant_id, new_id("file"))
    meter = _Meter(ground.settings.max_body_bytes)
    ground.storage.put(blob, meter.measure(chunks))
    digest = meter.sha256.hexdigest()
    return adopt_file(ground, tenant_id, filename, purpose, blob, meter.bytes, digest, lifetime_s)


def adopt_file(
    ground: Ground,
    tenant_id: str,
    filename: str,
    purpose: str,
    blob: str,
    length: int,
    sha256: str,
    lifetime_s: int | None = None,
) -> File:
    """Make a file of an input blob that is there already (jobs.base.storage.input_name).

    It is erased `lifetime_s` seconds from now, or never by itself.

    Raises TooLarge past the limit of one body; the blob is deleted when the file is not made.
    """
    try:
        check_length(ground, length)
        with ground.database.write() as session:
            return add_file(session, tenant_id, filename, purpose, blob, length, sha256, lifetime_s)
    except Exception:
        ground.storage.delete([blob])
        raise


def check_length(ground: Ground, length: int) -> None:
    """Refuse what is larger than a file may be; raises TooLarge."""
    if length > ground.settings.max_body_bytes:
        raise _too_large(ground.settings.max_body_bytes)


def add_file(
    session: Session,
    tenant_id: str,
    filename: str,
    purpose: str,
    blob: str,
    length: int,
    sha256: str,
    lifetime_s: int | None = None,
) -> File:
    """Add the row of a file whose blob is there, in a transaction that may do more."""
    file_id = blob.rpartition("/")[2]
    now = session.scalar(select(db_now())) or 0.0
    file = File(
        id=file_id,
        tenant_id=tenant_id,
        # PostgreSQL takes no NUL in text.
        filename=filename.replace("\0", "")[:_LONGEST_NAME] or file_id,
        purpose=purpose,
        bytes=length,
        sha256=sha256,
        blob=blob,
        created_at=now,
        expires_at=None if lifetime_s is None else now + lifetime_s,
    )
    session.add(file)
    return file


def get_file(session: Session, tenant_id: str, file_id: str) -> File:
    """Give a tenant's file; raises NotFound, also when it is another tenant's."""
    file = session.get(File, file_id)
    if file is None or file.tenant_id != tenant_id:
        raise NotFound(f"There is no file {file_id!r}.")
    return file


def list_files(
    session: Session,
    tenant_id: str,
    *,
    after: str | None,
    limit: int,
    purpose: str | None = None,
    oldest_first: bool = False,
) -> list[File]:
    """Give up to `limit` files that come after `after`, newest first or oldest first.

    Ids sort by time.
    """
    order = File.id.asc() if oldest_first else File.id.desc()
    query = select(File).where(File.tenant_id == tenant_id).order_by(order).limit(limit)
    if after is not None:
        query = query.where(File.id > after if oldest_first else File.id < after)
    if purpose is not None:
        query = query.where(File.purpose == purpose)
    return list(session.scalars(query))


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The file is larger than {limit:,} bytes, the limit here.")


class _Meter:
    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0
        self.sha256 = hashlib.sha256()

    def measure(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.bytes += len(chunk)
            if self.bytes > self.limit:
                raise _too_large(self.limit)
            self.sha256.update(chunk)
            yield chunk
        if self.bytes == 0:
            raise InvalidRequest("The file is empty: send its bytes as the body.", param="file")
