"""Commands about a job's items once more: rerun and compare, retry, overlays, shadows."""

import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from pixelmill.cli.exits import EXIT_HELP, ExitCode, code_of_job
from pixelmill.cli.operator_commands import PANEL as OPERATORS
from pixelmill.cli.options import AsJson, JobId, Output, ParamList, Timeout, Wait, read_params
from pixelmill.cli.showing.display import aligned, printable, say
from pixelmill.cli.showing.watching import finish, print_json, watch
from pixelmill.cli.showing.writing import PictureNames
from pixelmill.client.client import Client
from pixelmill.client.records import Comparison
from pixelmill.wire.errors import InvalidInput, NotFound

PANEL = "Jobs that have run"

# A million items are compared in a minute or two.
_COMPARING_S = 600.0
_SHOWN_PAIRS = 10


def rerun(
    job_id: JobId,
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Such as digits@4.", show_default=False)
    ],
    param: ParamList = None,
    wait: Wait = False,
    timeout: Timeout = None,
    as_json: AsJson = False,
) -> None:
    """Run a job's items on another version; with --wait, print how the answers differ."""
    with Client() as client:
        job = client.rerun(job_id, model, params=read_params(param))
        if not wait:
            finish(client, job, wait=False, timeout=None, as_json=as_json)
        if not as_json:
            typer.echo(job.id)
        job, code = watch(client, job, timeout)
        if code is not None:
            raise typer.Exit(code)
        _show(client.comparison(job, wait=_COMPARING_S), as_json)
    raise typer.Exit(code_of_job(job))


def compare(job_id: JobId, as_json: AsJson = False) -> None:
    """Print how the answers of a rerun differ from those of the job whose items it ran."""
    with Client() as client:
        comparison = client.comparison(job_id)
    _show(comparison, as_json)
    if comparison.status == "waiting":
        raise typer.Exit(ExitCode.TIMED_OUT)


def retry(
    job_id: JobId, wait: Wait = False, timeout: Timeout = None, as_json: AsJson = False
) -> None:
    """Run those items of a job once more that failed, were cancelled or expired."""
    with Client() as client:
        job = client.retry(job_id)
        if not as_json:
            typer.echo(job.id)
        finish(client, job, wait=wait, timeout=timeout, as_json=as_json, quiet=True)


def overlay(
    job_id: JobId,
    index: Annotated[int, typer.Argument(metavar="INDEX", min=0, show_default=False)],
    output: Output = None,
) -> None:
    """Save an item's image with its result drawn over it, as JPEG."""
    with Client() as client:
        picture = client.overlay(job_id, index)
    _save(picture, output or Path(f"{index}.jpg"))


def overlays(
    job_id: JobId,
    folder: Annotated[
        Path, typer.Option("--folder", "-d", help="Where the pictures go.", show_default=False)
    ],
) -> None:
    """Save every item's image with its result drawn over it, named after the item.

    A file of that name from elsewhere is replaced. What cannot be in a file's name is `_`, and
    items whose names would be one file's have their index behind it.
    """
    with Client() as client:
        folder.mkdir(parents=True, exist_ok=True)
        saved = without = 0
        names = PictureNames()
        for result in client.results(job_id, status="succeeded"):
            try:
                _save(client.overlay(job_id, result), folder / names.of(result))
                saved += 1
            except NotFound as err:
                without += 1
                if not saved:
                    raise
                say(str(err))
    typer.echo(f"{saved} pictures in {folder}" + (f", {without} are not there" if without else ""))


def shadow(
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False)],
    alias: Annotated[str, typer.Argument(metavar="ALIAS", show_default=False)],
    version: Annotated[
        int | None, typer.Argument(metavar="VERSION", help="Try this one from now on.")
    ] = None,
    percent: Annotated[int, typer.Option("--percent", help="Of the shards.")] = 10,
    end: Annotated[bool, typer.Option("--end", help="Try none any more.")] = False,
    as_json: AsJson = False,
) -> None:
    """Try a version, unseen, on a sample of what comes in by an alias; or show how it does."""
    if end and version is not None:
        raise typer.BadParameter("--end and VERSION exclude each other; give one of them.")
    with Client() as client:
        if end:
            client.end_shadow(name, alias)
            typer.echo(f"no version is tried in the shadow of {name}@{alias} any more")
            return
        if version is not None:
            found = client.set_shadow(name, alias, version, percent)
        else:
            found = client.shadow(name, alias)
    if as_json:
        print_json(found)
    else:
        sys.stdout.write(shadow_lines(found))


def add_to(app: typer.Typer) -> None:
    """Put these commands into the command line."""
    commands: tuple[Callable[..., None], ...] = (rerun, compare, retry, overlay, overlays)
    for command in commands:
        app.command(epilog=EXIT_HELP, rich_help_panel=PANEL)(command)
    app.command(rich_help_panel=OPERATORS)(shadow)


def comparison_lines(comparison: Comparison) -> str:
    """Describe a comparison: counts, a table of both versions, and the classes that changed."""
    report = comparison.report
    items = report["items"]
    figures = "nothing to compare: no item that both answered, or no class that both know"
    if report["agreement"] is not None:
        agreement, similarity = (_number(report[name]) for name in ("agreement", "similarity"))
        figures = f"agreement {agreement}, {report['measure']} {similarity}"
    text = (
        f"{items['compared']} of {items['total']} items compared: {items['same']} the same, "
        f"{items['changed']} changed\n"
        f"{figures}\n\n"
    )
    text += aligned(("", "BEFORE", "AFTER"), list(_both_sides(report)))
    pairs = [pair for pair in report["confusion"] if pair["before"] != pair["after"]]
    if pairs:
        rows = [
            (pair["before"] or "-", pair["after"] or "-", str(pair["count"]))
            for pair in islice(pairs, _SHOWN_PAIRS)
        ]
        text += "\n" + aligned(("WAS", "IS NOW", "ITEMS"), rows)
    return text


def shadow_lines(shadow: Mapping[str, Any]) -> str:
    """Describe a version in the shadow, and how it does."""
    items = shadow["items"]
    text = (
        f"{shadow['model']}@{shadow['version']} in the shadow of {shadow['alias']}: "
        f"{shadow['percent']} % of the shards, {shadow['jobs']} jobs, "
        f"{items['compared']} items compared, {items['same']} the same\n"
        f"agreement {_number(shadow['agreement'])}, "
        f"latency ratio {_number(shadow['latency_ratio'])}\n\n"
    )
    rows = [
        (word, *(_number(shadow[f"{figure}_{side}"], factor) for side in ("before", "after")))
        for word, figure, factor in (
            ("error rate", "error_rate", 1.0),
            ("device ms/item", "device_s_per_item", 1000.0),
        )
    ]
    return text + aligned(("", "ANSWERS", "SHADOW"), rows)


def _show(comparison: Comparison, as_json: bool) -> None:
    if as_json:
        print_json(comparison.raw)
    elif comparison.is_ready:
        sys.stdout.write(comparison_lines(comparison))
    else:
        say(printable(comparison.failure or "not compared yet: both jobs have to be over"))


def _both_sides(report: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    before, after, items = report["before"], report["after"], report["items"]
    yield "model", before["model"], after["model"]
    both = items["errored_both"]
    errored = (items["errored_before"] + both, items["errored_after"] + both)
    yield "errored", *map(str, errored)
    yield "device ms/item", *(_number(side["device_s_per_item"], 1000) for side in (before, after))
    yield "items/s", *(_number(side["items_per_s"]) for side in (before, after))
    yield "ran, s", *(_number(side["ran_s"]) for side in (before, after))


def _number(value: float | None, factor: float = 1.0) -> str:
    return "-" if value is None else f"{value * factor:.4g}"


def _save(picture: bytes, path: Path) -> None:
    try:
        path.write_bytes(picture)
    except OSError as err:
        raise InvalidInput(f"{path} cannot be written: {err.strerror or err}.") from err
