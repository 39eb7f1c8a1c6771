"""What callers may send with a file."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from api.web.schemas import AnyFileId, Binary, LeftOut, Order, Strict


class UploadForm(Strict):
    """The parts of a multipart upload."""

    model_config = ConfigDict(
        json_schema_extra={
            "dependentRequired": {"expires_after[anchor]": ["expires_after[seconds]"]}
        }
    )

    file: Binary
    purpose: str = "batch"
    seconds: Annotated[int | None, LeftOut] = Field(
        None,
        alias="expires_after[seconds]",
        ge=3600,
        le=30 * 86400,
        description="Erase it so many seconds from now; it stays while a job that runs needs it.",
    )
    anchor: Literal["created_at"] = Field("created_at", alias="expires_after[anchor]")


class UploadQuery(Strict):
    """How a raw body is to be called."""

    filename: str | None = Field(None, max_length=1024)
    purpose: str = Field("batch", min_length=1, max_length=64)


class FileListQuery(Strict):
    """Which files to list, newest first."""

    after: AnyFileId | None = None
    limit: int = Field(20, ge=1, le=100)
    order: Order = "desc"
    purpose: str | None = Field(
        None, description="`batch_output`: what finished jobs have; else of uploaded files."
    )
