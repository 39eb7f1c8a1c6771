"""`pixelmill events`: what happens to jobs, a line for each thing as it happens."""

import json
import sys
from typing import Annotated

import typer

from pixelmill.cli.exits import EXIT_HELP, code_of_job
from pixelmill.cli.showing.display import printable
from pixelmill.client.client import Client
from pixelmill.client.events.stream import Event


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EXIT_HELP)(events)


def events(
    job_id: Annotated[
        str | None,
        typer.Argument(metavar="[JOB]", help="One job, until it is over.", show_default=False),
    ] = None,
    after: Annotated[
        str | None, typer.Option("--after", metavar="ID", help="Only what came after this event.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="A JSON document a line, for scripts.")
    ] = False,
) -> None:
    """Print what happens to a job as it happens, or to all jobs from now on."""
    with Client() as client:
        for event in client.events(job_id, after=after):
            sys.stdout.write(_as_json(event) if as_json else _as_text(event))
            sys.stdout.flush()
        if job_id is not None:
            raise typer.Exit(code_of_job(client.job(job_id)))


def _as_json(event: Event) -> str:
    return json.dumps({"id": event.id, **event.raw}) + "\n"


def _as_text(event: Event) -> str:
    counts = event.request_counts
    parts = [event.timestamp, event.job_id or "", event.type]
    if event.job_id is not None:
        parts.append(f"{counts.finished}/{counts.total} images, {counts.failed} failed")
    if event.rate:
        parts.append(f"{event.rate:.1f} images/s")
    return printable("  ".join(parts)) + "\n"
