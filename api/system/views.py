"""What callers get to see of our own health."""

from typing import Literal

from pydantic import BaseModel, Field


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"
    version: str


class Ready(BaseModel):
    """What answers. Without Redis jobs only start some seconds later, so it may be away."""

    status: Literal["ready"] = "ready"
    database: Literal["ok", "away", "not_migrated"]
    storage: Literal["ok", "away", "full", "missing"]
    redis: Literal["ok", "away"]
    listener: Literal["ok", "idle", "not_listening"] = Field(
        description="Whether held answers hear of their jobs at once; idle before the first."
    )
    workers: dict[str, int] | None = Field(
        description="Live workers of each pool that is needed. With none, jobs are taken and wait."
    )
    clock_skew_s: float = Field(
        description="Seconds by which this server's clock is behind the database's."
    )
    version: str
