"""What callers get to see of files and our own health, and lists of anything.

Times are whole seconds since 1970 (UTC).
"""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, Field

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


class FileList(BaseModel):
    """Files, newest first."""

    object: Literal["list"] = "list"
    data: list[FileView]
    first_id: str | None
    last_id: str | None
    has_more: bool


class Deleted(BaseModel):
    """A receipt: the thing and its bytes are gone."""

    id: str
    object: str
    deleted: Literal[True] = True


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """What answers. Without Redis jobs only start some seconds later, so it may be away."""

    status: Literal["ready"] = "ready"
    database: Literal["ok", "away", "not_migrated"]
    storage: Literal["ok", "away", "full", "missing"]
    redis: Literal["ok", "away"]
    listener: Literal["ok", "idle", "not_listening"] = Field(
        description="Whether held answers hear of their jobs at once; idle before the first."
    )


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


def listed(views: Sequence[BaseModel], has_more: bool = False) -> dict[str, Any]:
    """Wrap views as a list whose cursors are their own ids."""
    rows = [view.model_dump(mode="json") for view in views]
    return {
        "object": "list",
        "data": rows,
        "first_id": rows[0]["id"] if rows else None,
        "last_id": rows[-1]["id"] if rows else None,
        "has_more": has_more,
    }
