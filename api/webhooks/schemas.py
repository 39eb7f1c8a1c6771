"""What callers send about webhook endpoints and deliveries, and what they get to see of them."""

import json
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, Field, StrictBool, field_validator

from api.jobs.schemas import Event
from api.live.schemas import EventCounts
from api.web.schemas import JobId, LeftOut, Strict, WebAddress, Whole
from jobs.base.states import JobStatus, Outcome
from jobs.tables import Delivery, WebhookEndpoint

_LONGEST_OVERLAP_S = 7 * 86_400
_DAY_S = 86_400

EndpointId = Annotated[str, Field(pattern=r"^whe_[0-9a-z]{26}$")]
DeliveryId = Annotated[str, Field(pattern=r"^whd_[0-9a-z]{26}$")]
DeliveryState = Literal["pending", "delivered", "failed"]
Description = Annotated[str, Field(max_length=512)]
Events = Annotated[list[Event], Field(min_length=1, description="Which it is told of.")]


class WebhookEndpointCreate(Strict):
    """An address that is to be told of every job."""

    url: WebAddress
    events: Events = Field(list(get_args(Event)))
    description: Description = ""


class WebhookEndpointChange(Strict):
    """What to change of an endpoint; the rest stays."""

    # Left out, but never null: the document does not offer it.
    url: Annotated[WebAddress | None, LeftOut] = None
    events: Annotated[Events | None, LeftOut] = None
    description: Annotated[Description | None, LeftOut] = None
    enabled: Annotated[StrictBool | None, LeftOut] = None

    @field_validator("url", "events", "description", "enabled")
    @classmethod
    def _check_given(cls, value: object) -> object:
        if value is None:
            raise ValueError("must not be null; leave it out to keep what is there")
        return value


class SecretRotation(Strict):
    """How long the secret before signs as well."""

    overlap_s: Annotated[int, Whole(0, _LONGEST_OVERLAP_S)] = Field(
        _DAY_S,
        description="Seconds, a day if left out; 0 ends the secret before at once.",
    )


class WebhookJob(BaseModel):
    """The job that an event is about, as it was at its end; of a `ping` the `id` alone."""

    id: str
    status: JobStatus | None = None
    outcome: Outcome | None = None
    request_counts: EventCounts | None = None
    sequence: int | None = Field(
        None, description="The event's number among those of its job, from 1."
    )
    output: dict[str, Any] | None = Field(
        None, description="Of events about it: where the results were to be written, and how it is."
    )


class WebhookBody(BaseModel):
    """What a receiver gets, signed."""

    type: Event | Literal["ping"]
    timestamp: str = Field(description="When it happened (RFC 3339, UTC).")
    data: WebhookJob


class WebhookEndpointView(BaseModel):
    """An endpoint; `secret` is only there in the answer that made it."""

    id: str
    object: Literal["webhook_endpoint"] = "webhook_endpoint"
    url: str
    events: list[Event]
    description: str
    enabled: bool
    disabled_reason: str | None = Field(description="Why, where it was not you.")
    old_secret_until: int | None = Field(description="Until when the secret before signs as well.")
    created_at: int


class WebhookEndpointSecret(WebhookEndpointView):
    """An endpoint with the secret that was just made for it, which is not shown again."""

    secret: str


class WebhookEndpointList(BaseModel):
    """Endpoints, newest first."""

    object: Literal["list"] = "list"
    data: list[WebhookEndpointView]
    first_id: str | None
    last_id: str | None
    has_more: bool


class WebhookDeliveryQuery(Strict):
    """Which deliveries to list, newest first."""

    after: DeliveryId | None = None
    limit: int = Field(20, ge=1, le=100)
    job_id: JobId | None = None
    endpoint_id: EndpointId | None = None
    state: DeliveryState | None = None


class WebhookDeliveryView(BaseModel):
    """One event on its way to one receiver."""

    id: str
    object: Literal["webhook_delivery"] = "webhook_delivery"
    event_id: str = Field(description="What receivers get as `webhook-id`.")
    type: str
    job_id: str | None = Field(description="Null for a ping.")
    endpoint_id: str | None = Field(description="Null where the job named its receiver itself.")
    url: str
    state: DeliveryState
    attempts: int
    next_attempt_at: int | None
    response_status: int | None
    response_body: str | None = Field(description="The first kB of the last answer.")
    error: str | None
    created_at: int
    ended_at: int | None


class WebhookDeliveryList(BaseModel):
    """Deliveries, newest first; `last_id` is the cursor for those that follow."""

    object: Literal["list"] = "list"
    data: list[WebhookDeliveryView]
    first_id: str | None
    last_id: str | None
    has_more: bool


def endpoint_view(row: WebhookEndpoint, now: float) -> WebhookEndpointView:
    """Show an endpoint as it is at a time, without its secrets."""
    until = row.old_secret_until
    return WebhookEndpointView(
        id=row.id,
        url=row.url,
        events=row.events,
        description=row.description,
        enabled=row.enabled,
        disabled_reason=row.disabled_reason,
        old_secret_until=int(until) if until is not None and until > now else None,
        created_at=int(row.created_at),
    )


def delivery_view(row: Delivery) -> WebhookDeliveryView:
    """Show a delivery."""
    return WebhookDeliveryView(
        id=row.id,
        event_id=row.event_id,
        type=json.loads(row.body)["type"],
        job_id=row.job_id,
        endpoint_id=row.endpoint_id,
        url=row.url,
        state=row.state,
        attempts=row.fence or 0,
        next_attempt_at=int(row.due_at) if row.state == "pending" else None,
        response_status=row.last_status,
        response_body=row.last_response,
        error=row.last_error,
        created_at=int(row.created_at),
        ended_at=None if row.ended_at is None else int(row.ended_at),
    )
