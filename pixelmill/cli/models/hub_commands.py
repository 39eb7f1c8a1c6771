"""`pixelmill pull`: a model of the Hugging Face hub, fetched here and pushed to the server."""

import time
from typing import Annotated

import typer

from pixelmill.cli.exits import EXIT_HELP
from pixelmill.cli.models.model_commands import PANEL
from pixelmill.cli.models.push_command import finish_push
from pixelmill.cli.options import AsJson
from pixelmill.cli.showing.display import say, say_step
from pixelmill.client.client import Client
from pixelmill.client.hub import HubModel
from pixelmill.wire.transport import LONGEST_HOLD_S

_MIB = 2**20


def pull(
    source: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="timm/resnet18.a1_in1k or hf:google/vit-base-patch16-224, with @REVISION or not.",
            show_default=False,
        ),
    ],
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="Here; my/ and its own if left out."),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option("--labels", metavar="FILE", help="A name a line, or cat,dog."),
    ] = None,
    task: Annotated[str | None, typer.Option("--task", help="classification, detection, …")] = None,
    licence: Annotated[
        str | None, typer.Option("--license", help="Where the model's card does not say it.")
    ] = None,
    no_check: Annotated[
        bool, typer.Option("--no-check", help="Not held against its own library first.")
    ] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", help="Seconds to wait until a worker has tried it out.")
    ] = LONGEST_HOLD_S,
    as_json: AsJson = False,
) -> None:
    """Fetch a model of the Hugging Face hub and register it; its name goes to stdout."""
    with Client() as client:
        model = client.pull(
            source,
            name,
            labels=labels,
            task=task,
            license_name=licence,
            check=False if no_check else None,
            wait=min(timeout, LONGEST_HOLD_S),
            on_step=say_step,
            on_found=_say_found,
        )
        finish_push(client, model, time.monotonic() + timeout, as_json=as_json)


def add_to(app: typer.Typer) -> None:
    """Put the command into the command line."""
    app.command(rich_help_panel=PANEL, epilog=EXIT_HELP)(pull)


def _say_found(model: HubModel) -> None:
    say(
        f"{model.repository} at {model.commit[:12]}: {len(model.files)} files, "
        f"{model.size / _MIB:,.1f} MiB, licence {model.license or 'not told'}"
    )
