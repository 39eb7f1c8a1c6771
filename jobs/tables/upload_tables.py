"""Tables of uploads that resume, and of the parts that were received of them."""

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from jobs.base.states import UploadState
from jobs.tables.bases import Table


class Upload(Table):
    """A file that comes in several requests; `received` is how many of its bytes are kept."""

    __tablename__ = "uploads"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    state: Mapped[UploadState] = mapped_column(default=UploadState.RECEIVING)
    filename: Mapped[str]
    purpose: Mapped[str]
    # What the caller has said of it, as it came (tus: Upload-Metadata).
    metadata_: Mapped[str] = mapped_column("metadata")
    length: Mapped[int]
    received: Mapped[int] = mapped_column(default=0)
    # Of whoever makes one blob of the parts (jobs.leases).
    fence: Mapped[int] = mapped_column(default=0)
    until: Mapped[float | None]
    file_id: Mapped[str | None] = mapped_column(String(32))
    created_at: Mapped[float]
    # Put off whenever bytes come; once it is over, when the row goes follows from it.
    expires_at: Mapped[float]

    __table_args__ = (
        Index("ix_uploads_tenant_id_id", "tenant_id", "id"),
        Index("ix_uploads_state_expires_at", "state", "expires_at"),
    )


class UploadPart(Table):
    """A run of an upload's bytes, in a blob of its own until the upload is over."""

    __tablename__ = "upload_parts"

    upload_id: Mapped[str] = mapped_column(ForeignKey("uploads.id"), primary_key=True)
    start: Mapped[int] = mapped_column(primary_key=True)
    length: Mapped[int]
    blob: Mapped[str]
