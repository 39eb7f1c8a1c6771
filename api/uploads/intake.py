"""The body of a request that brings bytes of an upload: kept part by part while it comes.

    body ──► spool ──8 MiB──► part in storage ──► added: the offset moves
                                  └── with a checksum: kept back, and added at the body's end

So a connection that breaks loses nothing that came, unless a checksum was promised for all of it.
"""

import tempfile
from functools import partial

import structlog
from sqlalchemy.exc import SQLAlchemyError

from api.uploads.protocol import Checksum
from jobs.base.bootstrap import Ground
from jobs.base.errors import ChecksumMismatch, PixelmillError
from jobs.base.storage import StorageError
from jobs.uploads.receiving import Part, add_parts, drop_parts, store_part

log = structlog.get_logger(__name__)

# As much as storage writes in one request.
_PART = 8 * 1024 * 1024
# Of a body with a checksum, which counts for nothing before its end: so much may lie in storage for
# each request that is under way.
MOST_KEPT_BACK = 64 * 1024 * 1024
_IN_MEMORY = 256 * 1024
_CHUNK = 1024 * 1024


class UploadIntake:
    """Takes bytes of an upload in, from its byte `start` on, at most `limit` of them."""

    def __init__(
        self, ground: Ground, upload_id: str, start: int, limit: int, checksum: Checksum | None
    ) -> None:
        self.limit = limit
        self.upload_id = upload_id
        # Whether the upload has all of its bytes now.
        self.is_whole = False
        self._ground, self._checksum = ground, checksum
        self._at, self._spooled = start, 0
        self._spool = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  # closed by close()
        self._kept_back: list[Part] = []
        self._is_over = False

    def feed(self, chunk: bytes) -> None:
        """Take the next piece; raises Conflict when another request was faster."""
        if self._checksum is not None:
            self._checksum.sum.update(chunk)
        self._spool.write(chunk)
        self._spooled += len(chunk)
        if self._spooled >= _PART:
            self._store()

    def finish(self) -> None:
        """Hear that the body is whole; raises ChecksumMismatch, and keeps none of it then."""
        self._is_over = True
        if self._checksum is not None and self._checksum.sum.digest() != self._checksum.expected:
            self._drop()
            raise ChecksumMismatch(
                "The body is not what its `Upload-Checksum` says: it was changed on its way. None "
                "of it was kept; send it again.",
                param="Upload-Checksum",
            )
        self._store()
        self._add()

    def close(self) -> None:
        """Keep what came of a body that was cut off; may be called again, and never raises."""
        try:
            if not self._is_over:
                self._is_over = True
                self._store() if self._checksum is None else self._drop()
        except (PixelmillError, StorageError, SQLAlchemyError) as err:
            log.info("upload_not_kept", upload=self.upload_id, error=type(err).__name__)
        finally:
            self._spool.close()

    def _store(self) -> None:
        """Store what is spooled as a part, and add it unless a checksum is still to come."""
        if not self._spooled:
            return
        self._spool.seek(0)
        chunks = iter(partial(self._spool.read, _CHUNK), b"")
        part = store_part(self._ground, self.upload_id, self._at, chunks)
        self._kept_back.append(part)
        self._at += part.length
        self._spooled = 0
        self._spool.seek(0)
        self._spool.truncate()
        if self._checksum is None:
            self._add()

    def _add(self) -> None:
        parts, self._kept_back = self._kept_back, []
        self.is_whole = add_parts(self._ground, self.upload_id, parts) or self.is_whole

    def _drop(self) -> None:
        parts, self._kept_back = self._kept_back, []
        drop_parts(self._ground, parts)
