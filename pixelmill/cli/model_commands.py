"""Commands about models: their versions, their aliases, and who changed what."""

import json
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from pixelmill.cli.display import aligned, say, timestamp
from pixelmill.cli.exits import EXIT_HELP, ExitCode
from pixelmill.cli.options import AsJson
from pixelmill.cli.watching import print_json
from pixelmill.client.client import Client
from pixelmill.client.records import Alias, Model
from pixelmill.wire.errors import InvalidInput
from pixelmill.wire.transport import LONGEST_HOLD_S

PANEL = "Models"

# The members of a model's view that `push --record` takes.
_OF_RECORD = (
    "architecture", "task", "labels", "preprocess", "options", "provenance", "description"
)  # fmt: skip

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="Such as digits or my/cats.", show_default=False)
]
AliasName = Annotated[
    str, typer.Argument(metavar="ALIAS", help="Such as production.", show_default=False)
]
Version = Annotated[int, typer.Argument(metavar="VERSION", min=1, show_default=False)]


def models(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[show NAME]", help="One model, whole.", show_default=False),
    ] = None,
    record: Annotated[
        bool, typer.Option("--record", help="With `show`: the record, as `push --record` takes it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the models that jobs can name, or show one."""
    if words:
        _show(words, record=record)
        return
    with Client() as client:
        found = client.models()
    if as_json:
        print_json([model.raw for model in found])
    else:
        rows = [(model.id, model.task or "", ", ".join(model.aliases)) for model in found]
        sys.stdout.write(aligned(("MODEL", "TASK", "ALIASES"), rows))


def versions(name: Name, as_json: AsJson = False) -> None:
    """List the versions of a model, newest first."""
    with Client() as client:
        found = client.versions(name)
    if as_json:
        print_json([model.raw for model in found])
    else:
        header = ("VERSION", "STATE", "ALIASES", "CREATED", "AUTHOR", "METRICS")
        sys.stdout.write(aligned(header, [_version_row(model) for model in found]))


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
    record: Annotated[
        Path | None,
        typer.Option(
            "--record", metavar="FILE", help="JSON with all of it: architecture, labels, …"
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", help="Seconds to wait until a worker has tried it out.")
    ] = LONGEST_HOLD_S,
    as_json: AsJson = False,
) -> None:
    """Register a network as the next version of a model; its name goes to stdout."""
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
            wait=min(timeout, LONGEST_HOLD_S),
        )
        finish_push(client, model, until, as_json=as_json)


def finish_push(client: Client, model: Model, until: float, *, as_json: bool) -> NoReturn:
    """Wait until a worker has tried a version out, print it, and exit with what it stands for.

    `until` is of time.monotonic.
    """
    while model.state == "validating" and time.monotonic() < until:
        time.sleep(0.5)
        model = client.version(model.name, model.version or 0)
    if as_json:
        print_json(model.raw)
    else:
        typer.echo(model.id)
    raise typer.Exit(_code_of(model))


def delete_version(name: Name, version: Version, as_json: AsJson = False) -> None:
    """Delete a version; jobs that run it already go on."""
    with Client() as client:
        receipt = client.delete_version(name, version)
    if as_json:
        print_json(receipt)
    else:
        typer.echo(f"{name}@{version} deleted; its weights go after its last open job")


def alias(
    name: Name,
    alias: AliasName,
    version: Version,
    canary: Annotated[
        int | None, typer.Option("--canary", metavar="VERSION", help="A version on trial.")
    ] = None,
    percent: Annotated[
        float | None, typer.Option("--percent", help="Of new jobs, for the canary.")
    ] = None,
    max_error_rate: Annotated[
        float | None, typer.Option("--max-error-rate", help="End the canary above it: 0 to 1.")
    ] = None,
    max_latency_ratio: Annotated[
        float | None, typer.Option("--max-latency-ratio", help="End the canary above it: 2.0.")
    ] = None,
    min_items: Annotated[
        int | None, typer.Option("--min-items", help="Run so many before it is judged.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make an alias name a version, with a canary or without."""
    if (canary is None) != (percent is None):
        raise typer.BadParameter("--canary and --percent go together; give both or none.")
    limits = {
        "max_error_rate": max_error_rate,
        "max_latency_ratio": max_latency_ratio,
        "min_items": min_items,
    }
    trial: dict[str, Any] = {name: value for name, value in limits.items() if value is not None}
    if canary is not None:
        trial |= {"version": canary, "percent": percent}
    elif trial:
        raise typer.BadParameter("limits are a canary's; give --canary and --percent too.")
    with Client() as client:
        _print_aliases([client.set_alias(name, alias, version, trial or None)], as_json)


def aliases(name: Name, as_json: AsJson = False) -> None:
    """List the aliases of a model, and how their canaries do."""
    with Client() as client:
        _print_aliases(client.aliases(name), as_json)


def unalias(name: Name, alias: AliasName, as_json: AsJson = False) -> None:
    """Remove an alias."""
    with Client() as client:
        receipt = client.remove_alias(name, alias)
    if as_json:
        print_json(receipt)
    else:
        typer.echo(f"{name}@{alias} removed")


def audit(
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List who changed what of models and keys, newest first; needs an operator's key."""
    with Client() as client:
        found = list(islice(client.audit(), limit))
    if as_json:
        print_json(found)
        return
    rows = [
        (timestamp(entry["at"]), entry["who"], entry["action"], entry["subject"]) for entry in found
    ]
    sys.stdout.write(aligned(("AT", "WHO", "ACTION", "SUBJECT"), rows))


def add_to(app: typer.Typer) -> None:
    """Put the commands about models into the command line."""
    for command in (models, versions, alias, aliases, unalias):
        app.command(rich_help_panel=PANEL)(command)
    app.command(rich_help_panel=PANEL, epilog=EXIT_HELP)(push)
    app.command("delete-version", rich_help_panel=PANEL)(delete_version)
    app.command(rich_help_panel=PANEL)(audit)


def _show(words: list[str], *, record: bool) -> None:
    if len(words) != 2 or words[0] != "show":
        raise typer.BadParameter("write `pixelmill models`, or `pixelmill models show NAME`.")
    with Client() as client:
        raw = client.model(words[1]).raw
    members = (
        "architecture",
        "task",
        "labels",
        "preprocess",
        "options",
        "provenance",
        "description",
    )
    print_json({each: raw[each] for each in members if raw.get(each)} if record else raw)


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


def _version_row(model: Model) -> tuple[str, ...]:
    names = ", ".join(each for each, number in model.aliases.items() if number == model.version)
    metrics = ", ".join(f"{name} {value:g}" for name, value in model.metrics.items())
    state = model.state if model.reason is None else f"{model.state}: {model.reason}"
    created = timestamp(model.created_at)
    return (str(model.version), state, names, created, model.author, metrics)


def _print_aliases(found: list[Alias], as_json: bool) -> None:
    if as_json:
        print_json([each.raw for each in found])
        return
    rows = [(each.alias, str(each.version), _trial_text(each)) for each in found]
    sys.stdout.write(aligned(("ALIAS", "VERSION", "CANARY"), rows))


def _trial_text(alias: Alias) -> str:
    if alias.canary is not None:
        figures = alias.canary["canary_figures"]
        return (
            f"version {alias.canary['version']} gets {alias.canary['percent']:g} %: "
            f"{figures['items']} items, {figures['error_rate']:.2%} failed, "
            f"{figures['item_ms']:.2f} ms each"
        )
    if alias.last_canary is not None:
        last = alias.last_canary
        text = f"version {last['version']} {last['outcome'].replace('_', ' ')}"
        return f"{text}: {last['reason']}" if last.get("reason") else text
    return ""
