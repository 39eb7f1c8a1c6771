"""Webhooks: endpoints with their secrets, shown once, and the log of deliveries."""

from typing import Any, get_args

from flask import Response, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from api.current import actor, ground, tenant_id
from api.jobs.schemas import Event
from api.page.blueprint import page_blueprint
from api.page.forms import read_form, takes_form
from api.web.parsing import validated
from api.webhooks.schemas import (
    WebhookDeliveryQuery,
    WebhookEndpointCreate,
    delivery_view,
    endpoint_view,
)
from jobs.base.hints import IO
from jobs.base.states import TERMINAL
from jobs.queue.deliveries import list_deliveries, redeliver
from jobs.queue.endpoints import (
    change_endpoint,
    create_endpoint,
    delete_endpoint,
    list_endpoints,
    ping,
    rotate_secret,
)
from jobs.queue.reading import get_job

webhooks = page_blueprint("webhooks")

_ON_A_PAGE = 25
_MOST_OF_A_JOB = 10
# How long receivers have to take over a new secret, as the API has it by default: a day.
_OVERLAP_S = 86_400.0


@webhooks.get("/webhooks")
def show_webhooks() -> ResponseReturnValue:
    """Show the endpoints and the newest deliveries."""
    return _page()


@webhooks.post("/webhooks")
@takes_form
def add_endpoint() -> ResponseReturnValue:
    """Make an endpoint; its secret stands in this answer and nowhere else."""
    form = read_form()
    said = {
        "url": form.get("url", "").strip(),
        "events": form.getlist("events") or list(get_args(Event)),
        "description": form.get("description", "").strip(),
    }
    body = validated(WebhookEndpointCreate, said)
    row = create_endpoint(ground(), actor(), body.url, body.events, body.description)
    return _page(secret=row.secret, secret_of=row.url)


@webhooks.post("/webhooks/<endpoint_id>")
@takes_form
def do_to_endpoint(endpoint_id: str) -> ResponseReturnValue:
    """Ping, enable, disable or delete an endpoint, or give it a new secret."""
    word = read_form().get("do", "")
    if word == "rotate":
        row = rotate_secret(ground(), actor(), endpoint_id, overlap_s=_OVERLAP_S)
        return _page(secret=row.secret, secret_of=row.url)
    if word == "ping":
        ping(ground(), actor(), endpoint_id)
        ground().hints.send(IO)
        return _to(done="pinged")
    if word == "delete":
        delete_endpoint(ground(), actor(), endpoint_id)
        return _to(done="removed")
    change_endpoint(ground(), actor(), endpoint_id, enabled=word == "enable")
    return _to()


@webhooks.post("/deliveries/<delivery_id>")
@takes_form
def send_again(delivery_id: str) -> ResponseReturnValue:
    """Send an event once more."""
    read_form()
    redeliver(ground(), tenant_id(), delivery_id)
    ground().hints.send(IO)
    return _to(done="sent")


@webhooks.get("/jobs/<job_id>/deliveries")
def show_deliveries(job_id: str) -> ResponseReturnValue:
    """Show what became of a job's calls to its receivers, as a fragment."""
    with ground().database.read() as session:
        job = get_job(session, tenant_id(), job_id)
        found = list_deliveries(
            session, tenant_id(), after=None, limit=_MOST_OF_A_JOB, job_id=job_id
        )
    deliveries = [delivery_view(row) for row in found]
    return render_template(
        "system/deliveries.html",
        job_id=job_id,
        webhook=job.webhook,
        deliveries=deliveries,
        is_open=job.status not in TERMINAL or any(each.state == "pending" for each in deliveries),
    )


def _page(**shown_once: str) -> ResponseReturnValue:
    said = {name: value for name in ("after", "state") if (value := request.args.get(name))}
    query = validated(WebhookDeliveryQuery, said)
    now = ground().database.now()
    with ground().database.read() as session:
        endpoints = [endpoint_view(row, now) for row in list_endpoints(session, tenant_id())]
        found = list_deliveries(
            session, tenant_id(), after=query.after, limit=_ON_A_PAGE + 1, state=query.state
        )
    deliveries = [delivery_view(row) for row in found[:_ON_A_PAGE]]
    return render_template(
        "system/webhooks.html",
        endpoints=endpoints,
        deliveries=deliveries,
        events=get_args(Event),
        query=query,
        next_after=deliveries[-1].id if len(found) > _ON_A_PAGE else None,
        **shown_once,
    )


def _to(**said: Any) -> Response:
    return make_response(redirect(url_for("page_webhooks.show_webhooks", **said), 303))
