"""Webhooks, as `client.webhook_endpoints` and `client.webhook_deliveries`.

endpoint = client.webhook_endpoints.create("https://example.org/hook", events=["job.completed"])
print(endpoint.secret)
client.webhook_endpoints.ping(endpoint)
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import quote

from pixelmill.client.records import Raw
from pixelmill.wire.errors import UnexpectedAnswer
from pixelmill.wire.pages import pages
from pixelmill.wire.transport import Call, Transport, json_object

_ENDPOINTS = "/v1/webhook_endpoints"
_DELIVERIES = "/v1/webhook_deliveries"


class _Record:
    """What is read from an answer that has an id; members that are not known here stay in `raw`."""

    @classmethod
    def from_raw(cls, raw: Raw) -> Self:
        """Read the server's answer."""
        if "id" not in raw:
            raise UnexpectedAnswer("the server's webhook lacks its id; is it an older server?")
        fields: Mapping[str, Any] = getattr(cls, "__dataclass_fields__", {})
        known = {name: raw[name] for name in fields if raw.get(name) is not None}
        return cls(**known | {"raw": raw})


@dataclass(frozen=True, slots=True)
class WebhookEndpoint(_Record):
    """An address that is told of every job; `secret` is there only when it was just made."""

    id: str
    raw: Raw = field(repr=False, compare=False)
    url: str = ""
    events: Sequence[str] = ()
    description: str = ""
    enabled: bool = True
    disabled_reason: str | None = None
    old_secret_until: int | None = None
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class WebhookDelivery(_Record):
    """One event on its way to one receiver; times are seconds since 1970."""

    id: str
    raw: Raw = field(repr=False, compare=False)
    event_id: str = ""
    type: str = ""
    job_id: str | None = None
    endpoint_id: str | None = None
    url: str = ""
    state: str = ""
    attempts: int = 0
    next_attempt_at: int | None = None
    response_status: int | None = None
    response_body: str | None = None
    error: str | None = None
    created_at: int = 0


class WebhookEndpoints:
    """The calls about endpoints, by their id or as they were given."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self, url: str, *, events: Sequence[str] | None = None, description: str | None = None
    ) -> WebhookEndpoint:
        """Have an address told of every job, of all events if `events` is left out.

        Keep its `secret`: it is shown this once.
        """
        body = _given(url=url, events=events, description=description)
        return self._one(Call("POST", _ENDPOINTS, json=body))

    def list(self) -> list[WebhookEndpoint]:
        """Give the tenant's endpoints, newest first."""
        answer = json_object(self._transport.send(Call("GET", _ENDPOINTS, repeatable=True)))
        return [WebhookEndpoint.from_raw(raw) for raw in answer["data"]]

    def get(self, endpoint: str | WebhookEndpoint) -> WebhookEndpoint:
        """Give an endpoint."""
        return self._one(Call("GET", _path(_ENDPOINTS, endpoint), repeatable=True))

    def change(
        self,
        endpoint: str | WebhookEndpoint,
        *,
        url: str | None = None,
        events: Sequence[str] | None = None,
        description: str | None = None,
        enabled: bool | None = None,
    ) -> WebhookEndpoint:
        """Change what is given of an endpoint; the rest stays."""
        body = _given(url=url, events=events, description=description, enabled=enabled)
        call = Call("PATCH", _path(_ENDPOINTS, endpoint), json=body, repeatable=True)
        return self._one(call)

    def delete(self, endpoint: str | WebhookEndpoint) -> None:
        """Delete an endpoint with its deliveries; what waits is not sent."""
        self._transport.send(Call("DELETE", _path(_ENDPOINTS, endpoint)))

    def rotate_secret(
        self, endpoint: str | WebhookEndpoint, *, overlap_s: int | None = None
    ) -> WebhookEndpoint:
        """Give an endpoint a new `secret`; the one before signs as well for a day, or `overlap_s`.

        `overlap_s` is in seconds, a week at most; with 0 the one before ends at once.
        """
        path = _path(_ENDPOINTS, endpoint) + "/rotate_secret"
        return self._one(Call("POST", path, json=_given(overlap_s=overlap_s)))

    def ping(self, endpoint: str | WebhookEndpoint) -> WebhookDelivery:
        """Send an event `ping` to an endpoint; gives its delivery, to be looked at."""
        call = Call("POST", _path(_ENDPOINTS, endpoint) + "/ping")
        return WebhookDelivery.from_raw(json_object(self._transport.send(call)))

    def _one(self, call: Call) -> WebhookEndpoint:
        return WebhookEndpoint.from_raw(json_object(self._transport.send(call)))


class WebhookDeliveries:
    """The calls about deliveries: the log of what was sent and answered."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        job: str | None = None,
        endpoint: str | None = None,
        state: str | None = None,
    ) -> Iterator[WebhookDelivery]:
        """Give deliveries, newest first: of a job, an endpoint or a state, each by its id or word.

        States are pending, delivered and failed. Pages are fetched as they are needed.
        """
        query = {"job_id": job, "endpoint_id": endpoint, "state": state}
        for page in pages(self._transport, _DELIVERIES, query):
            yield from map(WebhookDelivery.from_raw, page.rows)

    def get(self, delivery: str | WebhookDelivery) -> WebhookDelivery:
        """Give a delivery as it is now."""
        return self._one(Call("GET", _path(_DELIVERIES, delivery), repeatable=True))

    def redeliver(self, delivery: str | WebhookDelivery) -> WebhookDelivery:
        """Send an event once more, under the same `webhook-id`; gives the new delivery."""
        return self._one(Call("POST", _path(_DELIVERIES, delivery) + "/redeliver"))

    def _one(self, call: Call) -> WebhookDelivery:
        return WebhookDelivery.from_raw(json_object(self._transport.send(call)))


def _given(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _path(root: str, what: str | WebhookEndpoint | WebhookDelivery) -> str:
    identity = what if isinstance(what, str) else what.id
    return f"{root}/{quote(identity, safe='')}"
