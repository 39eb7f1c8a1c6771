"""What callers get to see of files, models and our own health, and lists of anything.

Times are whole seconds since 1970 (UTC).
"""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel

from jobs.tables import File, ModelVersion
from models.catalog import ModelRecord, params_schema, result_schema


class FileView(BaseModel):
    """An uploaded file."""

    id: str
    object: Literal["file"] = "file"
    filename: str
    purpose: str
    bytes: int
    sha256: str
    created_at: int


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


class ModelView(BaseModel):
    """One version of a model, and what may be sent to it."""

    id: str
    object: Literal["model"] = "model"
    name: str
    version: int
    digest: str
    task: str
    input_kind: str
    labels: list[str]
    description: str
    metrics: dict[str, float]
    params_schema: dict[str, Any]
    result_schema: dict[str, Any]
    aliases: dict[str, int]
    created_at: int


class ModelList(BaseModel):
    """Models by name, or versions of one model, newest first."""

    object: Literal["list"] = "list"
    data: list[ModelView]
    first_id: str | None
    last_id: str | None
    has_more: bool


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """What answers. Without Redis jobs only start some seconds later, so it may be away."""

    status: Literal["ready"] = "ready"
    database: Literal["ok", "away"]
    storage: Literal["ok", "away"]
    redis: Literal["ok", "away"]


def file_view(file: File) -> FileView:
    """Show a file."""
    return FileView(
        id=file.id,
        filename=file.filename,
        purpose=file.purpose,
        bytes=file.bytes,
        sha256=file.sha256,
        created_at=int(file.created_at),
    )


def model_view(version: ModelVersion, aliases: dict[str, int]) -> ModelView:
    """Show a version of a model, with the aliases of all its versions."""
    record = ModelRecord.from_json(version.record)
    return ModelView(
        id=f"{version.name}@{version.version}",
        name=version.name,
        version=version.version,
        digest=version.digest,
        task=record.task,
        input_kind=record.input_kind,
        labels=list(record.labels),
        description=record.description,
        metrics=dict(record.metrics),
        params_schema=params_schema(record.task),
        result_schema=result_schema(record.task),
        aliases=aliases,
        created_at=int(version.created_at),
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
