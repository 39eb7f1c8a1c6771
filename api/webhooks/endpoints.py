"""Webhook endpoints: made, listed, changed, rotated, pinged, deleted."""

from typing import Any

from apiflask import APIBlueprint

from api.current import actor, ground, link, tenant_id
from api.web.openapi import describe
from api.web.parsing import read_body
from api.web.views import Deleted, listed
from api.webhooks.schemas import (
    SecretRotation,
    WebhookDeliveryView,
    WebhookEndpointChange,
    WebhookEndpointCreate,
    WebhookEndpointList,
    WebhookEndpointSecret,
    WebhookEndpointView,
    delivery_view,
    endpoint_view,
)
from jobs.base.hints import IO
from jobs.queue.endpoints import (
    change_endpoint,
    create_endpoint,
    delete_endpoint,
    find_endpoint,
    list_endpoints,
    ping,
    rotate_secret,
)
from jobs.tables import WebhookEndpoint

webhook_endpoints = APIBlueprint(
    "webhook_endpoints", __name__, url_prefix="/v1/webhook_endpoints", tag="Webhooks"
)


@webhook_endpoints.post("")
@describe(
    webhook_endpoints,
    {201: WebhookEndpointSecret},
    problems=(400, 409, 413, 415, 422),
    body={"application/json": WebhookEndpointCreate},
)
def make_endpoint() -> tuple[dict[str, Any], int, dict[str, str]]:
    """Have an address told of every job of your tenant; there may be 16 of them.

    The answer has the secret that signs what is sent. It is not shown again.
    """
    body, _ = read_body(WebhookEndpointCreate)
    row = create_endpoint(ground(), actor(), body.url, body.events, body.description)
    return _with_secret(row), 201, {"Location": link(f"/v1/webhook_endpoints/{row.id}")}


@webhook_endpoints.get("")
@describe(webhook_endpoints, {200: WebhookEndpointList})
def get_endpoints() -> dict[str, Any]:
    """List the webhook endpoints of your tenant, newest first: 16 at most, so without pages."""
    now = ground().database.now()
    with ground().database.read() as session:
        return listed([endpoint_view(row, now) for row in list_endpoints(session, tenant_id())])


@webhook_endpoints.get("/<endpoint_id>")
@describe(webhook_endpoints, {200: WebhookEndpointView}, problems=(404,))
def get_one_endpoint(endpoint_id: str) -> dict[str, Any]:
    """Show a webhook endpoint, without its secret."""
    with ground().database.read() as session:
        return _shown(find_endpoint(session, tenant_id(), endpoint_id))


@webhook_endpoints.patch("/<endpoint_id>")
@describe(
    webhook_endpoints,
    {200: WebhookEndpointView},
    problems=(400, 404, 413, 415, 422),
    body={"application/json": WebhookEndpointChange},
)
def change_one_endpoint(endpoint_id: str) -> dict[str, Any]:
    """Change a webhook endpoint's address, events or description, enable it or disable it.

    What is on its way goes to the new address, and is given up when the endpoint is disabled.
    """
    body, _ = read_body(WebhookEndpointChange)
    changes = body.model_dump(exclude_unset=True)
    return _shown(change_endpoint(ground(), actor(), endpoint_id, **changes))


@webhook_endpoints.delete("/<endpoint_id>")
@describe(webhook_endpoints, {200: Deleted}, problems=(404,))
def delete_one_endpoint(endpoint_id: str) -> dict[str, Any]:
    """Delete a webhook endpoint with its secret and its deliveries; what waits is not sent."""
    delete_endpoint(ground(), actor(), endpoint_id)
    return Deleted(id=endpoint_id, object="webhook_endpoint").model_dump()


@webhook_endpoints.post("/<endpoint_id>/rotate_secret")
@describe(
    webhook_endpoints,
    {200: WebhookEndpointSecret},
    problems=(400, 404, 413, 415, 422),
    body={"application/json": SecretRotation},
)
def rotate_endpoint_secret(endpoint_id: str) -> dict[str, Any]:
    """Replace a webhook endpoint's secret; the answer has the new one, which is not shown again.

    The one before signs as well until `overlap_s` is over, so that receivers can be changed in the
    meantime: `webhook-signature` has two signatures then.
    """
    body, _ = read_body(SecretRotation)
    return _with_secret(
        rotate_secret(ground(), actor(), endpoint_id, overlap_s=float(body.overlap_s))
    )


@webhook_endpoints.post("/<endpoint_id>/ping")
@describe(webhook_endpoints, {202: WebhookDeliveryView}, problems=(404, 409))
def ping_endpoint(endpoint_id: str) -> tuple[dict[str, Any], int]:
    """Send an event `ping` to a webhook endpoint; the answer is its delivery, for you to look at.

    It takes the place of the endpoint's earlier ping in the log.
    """
    delivery = ping(ground(), actor(), endpoint_id)
    ground().hints.send(IO)
    return delivery_view(delivery).model_dump(), 202


def _shown(row: WebhookEndpoint) -> dict[str, Any]:
    return endpoint_view(row, ground().database.now()).model_dump()


def _with_secret(row: WebhookEndpoint) -> dict[str, Any]:
    return WebhookEndpointSecret(**_shown(row), secret=row.secret).model_dump()
