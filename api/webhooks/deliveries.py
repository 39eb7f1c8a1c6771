"""Webhook deliveries: listed, looked at, sent once more."""

from typing import Any

from apiflask import APIBlueprint

from api.current import ground, link, tenant_id
from api.web.openapi import describe
from api.web.parsing import read_query
from api.web.views import listed
from api.webhooks.schemas import (
    WebhookDeliveryList,
    WebhookDeliveryQuery,
    WebhookDeliveryView,
    delivery_view,
)
from jobs.base.hints import IO
from jobs.queue.deliveries import find_delivery, list_deliveries, redeliver

webhook_deliveries = APIBlueprint(
    "webhook_deliveries", __name__, url_prefix="/v1/webhook_deliveries", tag="Webhooks"
)


@webhook_deliveries.get("")
@describe(
    webhook_deliveries, {200: WebhookDeliveryList}, problems=(422,), query=WebhookDeliveryQuery
)
def get_deliveries() -> dict[str, Any]:
    """List the webhook deliveries of your tenant, newest first, also of what jobs name themselves.

    They go with their job and with their endpoint.
    """
    query = read_query(WebhookDeliveryQuery)
    with ground().database.read() as session:
        found = list_deliveries(
            session,
            tenant_id(),
            after=query.after,
            limit=query.limit + 1,
            job_id=query.job_id,
            endpoint_id=query.endpoint_id,
            state=query.state,
        )
    views = [delivery_view(row) for row in found[: query.limit]]
    return listed(views, len(found) > query.limit)


@webhook_deliveries.get("/<delivery_id>")
@describe(webhook_deliveries, {200: WebhookDeliveryView}, problems=(404,))
def get_one_delivery(delivery_id: str) -> dict[str, Any]:
    """Show a webhook delivery: where it stands, and what was last answered to it."""
    with ground().database.read() as session:
        return delivery_view(find_delivery(session, tenant_id(), delivery_id)).model_dump()


@webhook_deliveries.post("/<delivery_id>/redeliver")
@describe(webhook_deliveries, {202: WebhookDeliveryView}, problems=(404, 409))
def redeliver_one(delivery_id: str) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Send an event once more; the answer is a new delivery, of the same event under the same id.

    One that is still being tried answers 409.
    """
    again = redeliver(ground(), tenant_id(), delivery_id)
    ground().hints.send(IO)
    headers = {"Location": link(f"/v1/webhook_deliveries/{again.id}")}
    return delivery_view(again).model_dump(), 202, headers
