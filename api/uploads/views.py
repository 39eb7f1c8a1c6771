"""What callers get to see of uploads.

Times are whole seconds since 1970 (UTC).
"""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from api.web.schemas import Strict
from api.web.views import Page
from jobs.tables import Upload


class UploadView(BaseModel):
    """An upload that resumes: where it stands, and the file that it became."""

    id: str
    object: Literal["upload"] = "upload"
    state: Literal["receiving", "finishing", "finished"] = Field(
        description="`finishing`: all bytes are here, and the file is being put together."
    )
    filename: str
    purpose: str
    offset: int = Field(description="How many bytes are here; the next ones begin there.")
    length: int
    created_at: int
    expires_at: int = Field(
        description="When it is erased unless more comes; of a finished one, when it is forgotten."
    )
    file_id: str | None = Field(description="The file, once it is there.")


class UploadList(Page[UploadView]):
    """Uploads that are not finished, newest first."""


class UploadListQuery(Strict):
    """Which unfinished uploads to list, newest first."""

    after: Annotated[str, Field(pattern=r"^upl_[0-9a-z]{26}$")] | None = None
    limit: int = Field(20, ge=1, le=100)


def upload_view(upload: Upload) -> UploadView:
    """Show an upload."""
    return UploadView.model_validate(
        {
            "id": upload.id,
            "state": upload.state.value,
            "filename": upload.filename,
            "purpose": upload.purpose,
            "offset": upload.received,
            "length": upload.length,
            "created_at": int(upload.created_at),
            "expires_at": int(upload.expires_at),
            "file_id": upload.file_id,
        }
    )
