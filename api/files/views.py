"""What callers get to see of files.

Times are whole seconds since 1970 (UTC).
"""

from typing import Literal

from pydantic import BaseModel, Field

from api.web.views import Page
from jobs.tables import File


class FileView(BaseModel):
    """An uploaded file."""

    id: str
    object: Literal["file"] = "file"
    filename: str
    purpose: str
    bytes: int
    sha256: str
    created_at: int
    expires_at: int | None = Field(description="When it is erased by itself; null for never.")
    status: Literal["processed"] = "processed"
    status_details: None = None


class FileList(Page[FileView]):
    """Files, newest first."""


def file_view(file: File) -> FileView:
    """Show a file."""
    return FileView(
        id=file.id,
        filename=file.filename,
        purpose=file.purpose,
        bytes=file.bytes,
        sha256=file.sha256,
        created_at=int(file.created_at),
        expires_at=None if file.expires_at is None else int(file.expires_at),
    )
