"""What callers send to store a connection, and what they get to see of it."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from api.web.schemas import Strict
from jobs.tables import Connection


class ConnectionCreate(Strict):
    """Credentials for buckets of one kind."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$", description="Yours to name it by in jobs."
    )
    kind: Literal["s3", "gs", "az"]
    credentials: dict[str, Any] = Field(
        description="s3: access_key_id, secret_access_key, session_token, region. gs: "
        "service_account, the JSON of a key. az: account, and account_key or sas_token. Without "
        "keys the bucket is read as anybody may. Never shown again."
    )
    endpoint: str | None = Field(
        None,
        max_length=512,
        description="Scheme, host and port of a store that is not the provider's own.",
    )


class ConnectionView(BaseModel):
    """A connection, without what it keeps."""

    id: str
    object: Literal["connection"] = "connection"
    name: str
    kind: str
    endpoint: str | None
    created_at: int


class ConnectionList(BaseModel):
    """Connections, newest first."""

    object: Literal["list"] = "list"
    data: list[ConnectionView]
    first_id: str | None
    last_id: str | None
    has_more: bool


def connection_view(row: Connection) -> ConnectionView:
    """Show a connection."""
    return ConnectionView(
        id=row.id,
        name=row.name,
        kind=row.kind,
        endpoint=row.endpoint or None,
        created_at=int(row.created_at),
    )
