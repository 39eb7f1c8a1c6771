"""What callers get to see of files.

Times are whole seconds since 1970 (UTC).
"""

from typing import Literal

from pydantic import BaseModel, Field

from api.web.views import Page
from jobs.aftercare.output_files import PURPOSE, OutputFile
from jobs.base.settings import Settings
from jobs.tables import File


class FileView(BaseModel):
    """A file that was uploaded, or that a finished job has."""

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


def output_file_view(file: OutputFile, length: int, sha256: str, settings: Settings) -> FileView:
    """Show a file of a finished job, whose bytes have been counted."""
    return FileView(
        id=file.id,
        filename=file.filename,
        purpose=PURPOSE,
        bytes=length,
        sha256=sha256,
        created_at=int(file.job.ended_at or 0),
        expires_at=int(file.expires_at(settings)),
    )
