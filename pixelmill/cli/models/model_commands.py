"""Commands about models: their versions, their aliases, and who changed what."""

import sys
from itertools import islice
from typing import Annotated, Any

import typer

from pixelmill.cli.models import push_command
from pixelmill.cli.models.model_card import card_text
from pixelmill.cli.models.proof_texts import proof_text
from pixelmill.cli.models.push_command import Name
from pixelmill.cli.options import AsJson
from pixelmill.cli.showing.display import aligned, timestamp
from pixelmill.cli.showing.watching import print_json
from pixelmill.client.client import Client
from pixelmill.client.records import Alias, Model

PANEL = "Models"

# The members of a model's view that `push --record` takes.
_OF_RECORD = (
    "architecture", "task", "labels", "preprocess", "options", "provenance", "description"
)  # fmt: skip
_OF_SCHEMA = ("params_schema", "result_schema")

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
    schema: Annotated[
        bool, typer.Option("--schema", help="With `show`: its parameters and results, as JSON.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the models that jobs can name, or show one."""
    if words:
        _show(words, _OF_RECORD if record else _OF_SCHEMA if schema else (), as_json=as_json)
        return
    if record or schema:
        raise typer.BadParameter("--record and --schema are for `pixelmill models show NAME`.")
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
        header = ("VERSION", "STATE", "ALIASES", "CREATED", "AUTHOR", "METRICS", "PROOF")
        sys.stdout.write(aligned(header, [_version_row(model) for model in found]))


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
    push_command.add_to(app, PANEL)
    app.command("delete-version", rich_help_panel=PANEL)(delete_version)
    app.command(rich_help_panel=PANEL)(audit)


def _show(words: list[str], members: tuple[str, ...], *, as_json: bool) -> None:
    if len(words) != 2 or words[0] != "show":
        raise typer.BadParameter("write `pixelmill models`, or `pixelmill models show NAME`.")
    with Client() as client:
        raw = client.model(words[1]).raw
    if members:
        print_json({each: raw[each] for each in members if raw.get(each)})
    elif as_json:
        print_json(raw)
    else:
        sys.stdout.write(card_text(raw))


def _version_row(model: Model) -> tuple[str, ...]:
    names = ", ".join(each for each, number in model.aliases.items() if number == model.version)
    metrics = ", ".join(f"{name} {value:g}" for name, value in model.metrics.items())
    state = model.state if model.reason is None else f"{model.state}: {model.reason}"
    created = timestamp(model.created_at)
    proof = "" if model.proof is None else proof_text(model.proof)
    return (str(model.version), state, names, created, model.author, metrics, proof)


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
