"""What an event of a stream carries as its `data`, in JSON; webhooks have the same form."""

from typing import Literal

from pydantic import BaseModel, Field

from api.web.openapi import show
from jobs.base.states import JobStatus, Outcome

EventType = Literal[
    "job.created",
    "job.in_progress",
    "job.progress",
    "job.completed",
    "job.failed",
    "job.cancelled",
    "job.expired",
    "job.deleted",
    "reset",
]


class EventCounts(BaseModel):
    """A job's items by what became of them; `total` is the sum of the others."""

    total: int
    completed: int
    failed: int
    processing: int
    cancelled: int
    expired: int


class JobEventData(BaseModel):
    """The job: as it was at the event, its counts as they were when the event was written."""

    id: str
    status: JobStatus
    outcome: Outcome | None
    request_counts: EventCounts
    rate: float | None = Field(None, description="Of `job.progress`: items a second so far.")
    eta_seconds: int | None = Field(None, description="Of `job.progress`: at that rate.")


class JobEvent(BaseModel):
    """The `data` of one event; its `id` is the number to resume after, progress has none."""

    type: EventType
    timestamp: str = Field(description="When it happened (RFC 3339, UTC).")
    data: JobEventData | None = Field(description="Null for `reset`: list the jobs anew.")


show(JobEvent)
