"""`pixelmill webhooks add https://example.org/hook`, and the log of what was delivered."""

import sys
from itertools import islice
from typing import Annotated

import typer

from pixelmill.cli.exits import Commands
from pixelmill.cli.options import AsJson
from pixelmill.cli.showing.display import aligned, say, timestamp
from pixelmill.cli.showing.watching import print_json
from pixelmill.client.client import Client
from pixelmill.client.webhooks import WebhookDelivery, WebhookEndpoint

EndpointId = Annotated[
    str, typer.Argument(metavar="ENDPOINT", help="The endpoint's id.", show_default=False)
]

webhooks = typer.Typer(
    cls=Commands, no_args_is_help=True, help="Addresses that are told of every job of yours."
)


@webhooks.command("list")
def list_endpoints(as_json: AsJson = False) -> None:
    """List the endpoints, newest first."""
    with Client() as client:
        found = client.webhook_endpoints.list()
    if as_json:
        print_json([each.raw for each in found])
    else:
        header = ("ENDPOINT", "ENABLED", "URL", "EVENTS", "ABOUT")
        sys.stdout.write(aligned(header, [_endpoint_row(each) for each in found]))


@webhooks.command("add")
def add_endpoint(
    url: Annotated[str, typer.Argument(metavar="URL", show_default=False)],
    event: Annotated[
        list[str] | None,
        typer.Option("--event", metavar="EVENT", help="Only this one; repeatable. Else all."),
    ] = None,
    description: Annotated[str | None, typer.Option("--description", help="A note.")] = None,
    as_json: AsJson = False,
) -> None:
    """Have an address told of every job; its secret is shown this once."""
    with Client() as client:
        made = client.webhook_endpoints.create(url, events=event, description=description)
    _tell_secret(made, as_json)


@webhooks.command("remove")
def remove_endpoint(endpoint_id: EndpointId) -> None:
    """Delete an endpoint with its deliveries; what waits is not sent."""
    with Client() as client:
        client.webhook_endpoints.delete(endpoint_id)
    typer.echo(f"{endpoint_id} deleted")


@webhooks.command("rotate")
def rotate_secret(
    endpoint_id: EndpointId,
    overlap: Annotated[
        int | None,
        typer.Option("--overlap", help="Seconds that the old secret signs as well; else a day."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Replace an endpoint's secret; the new one is shown this once."""
    with Client() as client:
        made = client.webhook_endpoints.rotate_secret(endpoint_id, overlap_s=overlap)
    _tell_secret(made, as_json)


@webhooks.command("ping")
def ping_endpoint(endpoint_id: EndpointId, as_json: AsJson = False) -> None:
    """Send an event `ping` to an endpoint; its delivery's id goes to stdout."""
    with Client() as client:
        _tell_delivery(client.webhook_endpoints.ping(endpoint_id), as_json)


@webhooks.command("deliveries")
def list_deliveries(
    job: Annotated[str | None, typer.Option("--job", help="Only of this job.")] = None,
    endpoint: Annotated[str | None, typer.Option("--endpoint", help="Only to this one.")] = None,
    state: Annotated[
        str | None, typer.Option("--state", help="Only pending, delivered or failed ones.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List what was sent and answered, newest first."""
    with Client() as client:
        every = client.webhook_deliveries.list(job=job, endpoint=endpoint, state=state)
        found, more = list(islice(every, limit)), next(every, None)
    if as_json:
        print_json([each.raw for each in found])
    else:
        header = ("DELIVERY", "STATE", "TRIES", "ANSWER", "EVENT", "JOB", "CREATED", "URL")
        sys.stdout.write(aligned(header, [_delivery_row(each) for each in found]))
    if more is not None:
        say(f"there are more than these {limit}; --limit N lists N of them")


@webhooks.command("redeliver")
def redeliver(
    delivery_id: Annotated[str, typer.Argument(metavar="DELIVERY", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Send an event once more; the new delivery's id goes to stdout."""
    with Client() as client:
        _tell_delivery(client.webhook_deliveries.redeliver(delivery_id), as_json)


def add_to(app: typer.Typer) -> None:
    """Put the commands about webhooks into the command line."""
    app.add_typer(webhooks, name="webhooks")


def _tell_secret(made: WebhookEndpoint, as_json: bool) -> None:
    if as_json:
        print_json(made.raw)
    else:
        typer.echo(f"{made.id} {made.secret}")
        say("this secret signs what is sent; it is not shown again")


def _tell_delivery(delivery: WebhookDelivery, as_json: bool) -> None:
    if as_json:
        print_json(delivery.raw)
    else:
        typer.echo(delivery.id)


def _endpoint_row(each: WebhookEndpoint) -> tuple[str, ...]:
    about = each.disabled_reason or each.description
    return (each.id, "yes" if each.enabled else "no", each.url, ",".join(each.events), about)


def _delivery_row(each: WebhookDelivery) -> tuple[str, ...]:
    answer = each.error if each.response_status is None else str(each.response_status)
    tries, created = str(each.attempts), timestamp(each.created_at)
    job = each.job_id or ""
    return (each.id, each.state, tries, answer or "", each.type, job, created, each.url)
