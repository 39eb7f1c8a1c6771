"""What an operator gets to see. Times are seconds since 1970 (UTC)."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from api.web.schemas import JobId, Strict
from api.web.views import Page

Limit = Annotated[int, Field(ge=1, le=100)]


class OpenJobQuery(Strict):
    """Which open jobs."""

    after: JobId | None = None
    limit: Limit = 20
    tenant: str | None = Field(None, max_length=255, description="The name of one tenant.")


class TenantQuery(Strict):
    """Which tenants."""

    after: str | None = Field(None, max_length=40)
    limit: Limit = 100


class UsageQuery(Strict):
    """Of which time."""

    days: float = Field(30, gt=0, le=366, description="Jobs submitted in the last so many days.")


class OpenJobView(BaseModel):
    """A job that is not over, and why it does or does not run."""

    id: str
    object: Literal["admin.job"] = "admin.job"
    tenant: str
    status: str
    why: str
    pool: str
    priority: str
    model: str
    request_counts: dict[str, int]
    waiting_shards: int
    held_shards: dict[str, int] = Field(description="How many each worker holds.")
    device_seconds: float
    created_at: int
    last_progress_at: int | None
    expires_at: int


class TenantNowView(BaseModel):
    """A tenant and what it has waiting."""

    id: str
    object: Literal["admin.tenant"] = "admin.tenant"
    name: str
    weight: float
    share: float = Field(
        description="Device seconds used over the weight; the least is served next."
    )
    keys: int
    open_jobs: int
    waiting_shards: int
    created_at: int


class HeldShardView(BaseModel):
    """A shard that a worker runs."""

    job_id: str
    tenant: str
    model: str
    shard_id: int
    first: int
    count: int
    lease_until: int


class WorkerView(BaseModel):
    """A worker process; `draining` is one that is drained and still has something in flight."""

    id: str
    object: Literal["admin.worker"] = "admin.worker"
    pool: str
    version: str
    state: Literal["working", "draining", "drained", "silent"]
    started_at: int
    seen_at: int
    drained_at: int | None
    shards: list[HeldShardView]


class UsageView(BaseModel):
    """What the jobs of a tenant have used."""

    id: str
    object: Literal["admin.usage"] = "admin.usage"
    tenant: str
    jobs: int
    items: int
    completed: int
    failed: int
    device_seconds: float


class UsageList(Page[UsageView]):
    """Usage by tenant, the greatest first; `since` is where the time begins."""

    since: int


class KeptView(BaseModel):
    """The files that a tenant has uploaded and keeps."""

    id: str
    object: Literal["admin.storage"] = "admin.storage"
    tenant: str
    files: int
    bytes: int


class KeptList(Page[KeptView]):
    """Files by tenant, the greatest first; the disk's figures are null for an object store."""

    storage: str
    total_bytes: int | None
    free_bytes: int | None


class Drained(BaseModel):
    """Worker processes that claim nothing any more, or again."""

    object: Literal["admin.drain"] = "admin.drain"
    workers: list[str]
    drained: bool
