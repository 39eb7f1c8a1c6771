"""`pixelmill evaluate MODEL labelled/ --wait`: how good a version is on labelled pictures."""

import json
import sys
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from pixelmill.cli.exits import EXIT_HELP, ExitCode, code_of_job
from pixelmill.cli.options import AsJson, JobId, ParamList, Priority, Timeout, Wait, read_params
from pixelmill.cli.showing.display import aligned, say, say_left_out, upload_progress
from pixelmill.cli.showing.formats import target
from pixelmill.cli.showing.watching import finish, print_json, watch
from pixelmill.client.client import Client
from pixelmill.client.evaluations import Evaluation
from pixelmill.wire.remembering import state_folder

PANEL = "Models"

# A million answers are counted in a minute or two.
_COUNTING_S = 600.0
_SHOWN_MISTAKES = 10
_WIDEST_TABLE = 20
_SHOWN_UNANSWERED = 5


def evaluate(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Such as my/cats@3.", show_default=False)
    ],
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            help="A folder for each class; or pictures with a COCO file; or with masks/.",
            show_default=False,
        ),
    ],
    param: ParamList = None,
    priority: Priority = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Wait, then write the evaluation to this JSON file."),
    ] = None,
    wait: Wait = False,
    timeout: Timeout = None,
    as_json: AsJson = False,
) -> None:
    """Run a version on your own labelled pictures and say how good it is at them.

    Of a classifier, FOLDER has a folder for each class. Of a detector, it has pictures and one COCO
    file of boxes. Of a segmenter, it has pictures, and in masks/ a PNG of class ids for each.
    """
    with Client(remember=state_folder()) as client:
        with upload_progress() as on_upload:
            job = client.evaluate(
                model, folder, params=read_params(param), priority=priority, on_upload=on_upload
            )
        if not as_json:
            typer.echo(job.id)
        say_left_out(job)
        if not wait and output is None:
            finish(client, job, wait=False, timeout=None, as_json=as_json, quiet=True)
        job, code = watch(client, job, timeout)
        if code is not None:
            raise typer.Exit(code)
        if job.status != "completed":
            finish(client, job, wait=False, timeout=None, as_json=as_json, quiet=True)
        found = client.evaluation(job, wait=_COUNTING_S)
        if output is not None and found.is_ready:
            with target(output) as out:
                out.write(json.dumps(dict(found.raw), indent=2, ensure_ascii=False) + "\n")
        _show(found, as_json)
    raise typer.Exit(_code_of(found) or code_of_job(job))


def evaluation(job_id: JobId, as_json: AsJson = False) -> None:
    """Print how good a version was on labelled pictures."""
    with Client() as client:
        found = client.evaluation(job_id)
    _show(found, as_json)
    raise typer.Exit(_code_of(found))


def add_to(app: typer.Typer) -> None:
    """Put these commands into the command line."""
    app.command(epilog=EXIT_HELP, rich_help_panel=PANEL)(evaluate)
    app.command(epilog=EXIT_HELP, rich_help_panel=PANEL)(evaluation)


def evaluation_lines(found: Evaluation) -> str:
    """Describe an evaluation: figures, a line a class, what was taken for what, what failed."""
    text = f"{found.model} on {found.evaluated} of {found.items} items"
    text += f", {found.failed} failed and are in no figure\n" if found.failed else "\n"
    text += "".join(f"{name:<16}{_number(value)}\n" for name, value in found.figures.items())
    if found.per_class:
        members = [name for name in found.per_class[0] if name != "class"]
        header = ("CLASS", *(name.upper() for name in members))
        rows = [
            (str(each["class"]), *(_number(each[name]) for name in members))
            for each in found.per_class
        ]
        text += "\n" + aligned(header, rows)
    return text + "".join(_confusion_lines(found.confusion or {}))


def _confusion_lines(confusion: Mapping[str, Any]) -> Iterator[str]:
    labels, mistakes = confusion.get("labels") or [], confusion.get("mistakes") or []
    if 0 < len(labels) <= _WIDEST_TABLE:
        rows = [
            (label, *map(str, row)) for label, row in zip(labels, confusion["counts"], strict=True)
        ]
        yield "\n" + aligned(("TRUE \\ FOUND", *labels), rows)
    elif mistakes:
        rows = [
            (each["true"], each["found"] or "-", str(each["count"]))
            for each in islice(mistakes, _SHOWN_MISTAKES)
        ]
        yield "\n" + aligned(("TRUE", "FOUND", "ITEMS"), rows)


def _show(found: Evaluation, as_json: bool) -> None:
    if as_json:
        print_json(found.raw)
    elif found.is_ready:
        sys.stdout.write(evaluation_lines(found))
    else:
        say(found.failure or "not counted yet: the job has to be over")
    for each in found.unanswered[:_SHOWN_UNANSWERED]:
        say(f"failed: {each['custom_id']}: {each['message']} ({each['code']})")
    more = found.failed - _SHOWN_UNANSWERED
    if more > 0:
        say(f"and {more} more failed; --json names the first {len(found.unanswered)}")


def _code_of(found: Evaluation) -> ExitCode:
    if found.status == "waiting":
        return ExitCode.TIMED_OUT
    return ExitCode.OK if found.is_ready else ExitCode.JOB_FAILED


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
