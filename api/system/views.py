"""What callers get to see of our own health."""

from typing import Literal

from pydantic import BaseModel, Field


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
