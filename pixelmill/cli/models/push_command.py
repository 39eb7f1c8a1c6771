"""The command that registers a network."""

import json
import time
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from pixelmill.cli.exits import EXIT_HELP, ExitCode
from pixelmill.cli.models.proof_texts import proven_text, unproven_text
from pixelmill.cli.options import AsJson
from pixelmill.cli.showing.display import say, say_step
from pixelmill.cli.showing.watching import print_json
from pixelmill.client.client import Client
from pixelmill.client.records import Model
from pixelmill.wire.errors import InvalidInput
from pixelmill.wire.transport import LONGEST_HOLD_S

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="Such as digits or my/cats.", show_default=False)
]


def push(
    name: Name,
    weights: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="An ONNX file, safetensors, a state dict (.pth), or a Hugging Face folder.",
            show_default=False,
        ),
    ],
    architecture: Annotated[
        str | None,
        typer.Option(
            "--architecture",
            help="Whose weights they are: timm/convnext_tiny, torchvision/resnet18.",
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option("--labels", metavar="FILE", help="A name a line, or cat,dog."),
    ] = None,
    task: Annotated[str | None, typer.Option("--task", help="classification, detection, …")] = None,
    head: Annotated[
        str | None, typer.Option("--head", help="What reads an ONNX file's outputs: yolo, …")
    ] = None,
    scale: Annotated[
        str | None,
        typer.Option("--scale", help="An ONNX file's pixels: imagenet, unit (0..1), symmetric."),
    ] = None,
    licence: Annotated[
        str | None, typer.Option("--license", help="The weights' own, such as Apache-2.0.")
    ] = None,
    state_dict: Annotated[
        str | None,
        typer.Option("--state-dict", metavar="KEY", help="Of a checkpoint with several: which."),
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(
            "--record", metavar="FILE", help="JSON with all of it: architecture, labels, …"
        ),
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option(
            "--check", metavar="PICTURES", help="Held against its own library on these first."
        ),
    ] = None,
    no_check: Annotated[
        bool, typer.Option("--no-check", help="Not held against anything.")
    ] = False,
    expected: Annotated[
        Path | None,
        typer.Option(
            "--expected", metavar="FILE", help="With --check: the answers, instead of a library's."
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", help="Seconds to wait until a worker has tried it out.")
    ] = LONGEST_HOLD_S,
    as_json: AsJson = False,
) -> None:
    """Register a network as the next version of a model; its name goes to stdout."""
    if no_check and (check or expected):
        raise typer.BadParameter("--no-check goes with neither --check nor --expected.")
    until = time.monotonic() + timeout
    with Client() as client:
        model = client.push(
            name,
            weights,
            None if record is None else _read_record(record),
            architecture=architecture,
            labels=labels,
            task=task,
            head=head,
            scale=scale,
            license_name=licence,
            state_dict=state_dict,
            check=False if no_check else check,
            expected=expected,
            wait=min(timeout, LONGEST_HOLD_S),
            on_step=say_step,
        )
        finish_push(client, model, until, as_json=as_json, tells_unproven=not no_check)


def finish_push(
    client: Client, model: Model, until: float, *, as_json: bool, tells_unproven: bool = False
) -> NoReturn:
    """Wait until a worker has tried a version out, print it, and exit with what it stands for.

    `until` is of time.monotonic; `tells_unproven`: whether it is said that a version has no proof.
    """
    while model.state == "validating" and time.monotonic() < until:
        time.sleep(0.5)
        model = client.version(model.name, model.version or 0)
    if as_json:
        print_json(model.raw)
    else:
        typer.echo(model.id)
        if model.state == "ready" and model.proof is not None:
            say(proven_text(model.proof))
        elif model.state == "ready" and tells_unproven:
            say(unproven_text(model.raw))
    raise typer.Exit(_code_of(model))


def add_to(app: typer.Typer, panel: str) -> None:
    """Put the command into the command line."""
    app.command(rich_help_panel=panel, epilog=EXIT_HELP)(push)


def _read_record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as err:
        raise InvalidInput(f"{path} cannot be read as JSON: {err}.") from err
    if not isinstance(record, dict):
        raise InvalidInput(f"{path} holds no JSON object; see the docs of POST …/versions.")
    return record


def _code_of(model: Model) -> ExitCode:
    if model.state == "refused":
        say(f"{model.id} was refused: {model.reason}")
        return ExitCode.REFUSED
    if model.state == "validating":
        say(f"{model.id} still waits for a worker; `pixelmill versions {model.name}` shows it")
        return ExitCode.TIMED_OUT
    return ExitCode.OK
