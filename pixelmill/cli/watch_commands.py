"""`pixelmill watches add s3://bucket/path/ --model digits`, and how far a watch is."""

import sys
from typing import Annotated

import typer

from pixelmill.cli.choosing import chosen_model
from pixelmill.cli.exits import Commands
from pixelmill.cli.options import (
    AsJson,
    Connection,
    MetadataList,
    ModelName,
    Overlays,
    ParamList,
    Priority,
    read_metadata,
    read_params,
)
from pixelmill.cli.showing.display import aligned, say, timestamp
from pixelmill.cli.showing.watching import print_json
from pixelmill.client.client import Client
from pixelmill.client.watches import Watch

WatchId = Annotated[
    str, typer.Argument(metavar="WATCH", help="The watch's id.", show_default=False)
]

watches = typer.Typer(
    cls=Commands, no_args_is_help=True, help="Folders of buckets whose new objects become jobs."
)


@watches.command("add")
def add_watch(
    prefix: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER",
            help="s3://bucket/path/, gs://…, az://…, or file:///… on the server.",
            show_default=False,
        ),
    ],
    model: ModelName = None,
    param: ParamList = None,
    include: Annotated[
        list[str] | None,
        typer.Option("--include", metavar="GLOB", help="Only these; repeatable."),
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", metavar="GLOB", help="Not these; repeatable.")
    ] = None,
    connection: Connection = None,
    only_new: Annotated[
        bool, typer.Option("--only-new", help="Leave out what lies there already.")
    ] = False,
    every: Annotated[
        int | None, typer.Option("--every", help="Seconds from one listing to the next.")
    ] = None,
    metadata: MetadataList = None,
    priority: Priority = None,
    webhook_url: Annotated[
        str | None, typer.Option("--webhook-url", help="Who is called when a job of it is over.")
    ] = None,
    overlays: Overlays = False,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help="Where the results go: s3://bucket/results/."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Watch a folder: each object there, and each that comes, becomes an item of a job.

    The watch's id goes to stdout.
    """
    with Client() as client:
        made = client.watches.create(
            prefix,
            model=chosen_model(client, model, [prefix]),
            params=read_params(param),
            include=include,
            exclude=exclude,
            connection=connection,
            only_new=only_new or None,
            interval_seconds=every,
            metadata=read_metadata(metadata),
            priority=priority,
            webhook=webhook_url,
            overlays=overlays or None,
            output=output,
        )
    if as_json:
        print_json(made.raw)
    else:
        typer.echo(made.id)


@watches.command("list")
def list_watches(as_json: AsJson = False) -> None:
    """List the watches, newest first."""
    with Client() as client:
        found = client.watches.list()
    if as_json:
        print_json([each.raw for each in found])
    else:
        header = ("WATCH", "STATE", "SEEN", "JOBS", "BACKLOG", "LISTED", "MODEL", "FOLDER")
        sys.stdout.write(aligned(header, [_row(each) for each in found]))
    for each in found:
        _say_error(each)


@watches.command("show")
def show_watch(watch: WatchId, as_json: AsJson = False) -> None:
    """Show how far a watch is, and why it is failing if it is."""
    with Client() as client:
        _tell(client.watches.get(watch), as_json)


@watches.command("pause")
def pause_watch(watch: WatchId, as_json: AsJson = False) -> None:
    """List its folder no more until it is resumed; its jobs run on."""
    with Client() as client:
        _tell(client.watches.pause(watch), as_json)


@watches.command("resume")
def resume_watch(watch: WatchId, as_json: AsJson = False) -> None:
    """List its folder now, and then as before; also where it was failing."""
    with Client() as client:
        _tell(client.watches.resume(watch), as_json)


@watches.command("remove")
def remove_watch(watch: WatchId) -> None:
    """Delete a watch; its jobs and their results stay."""
    with Client() as client:
        client.watches.delete(watch)
    typer.echo(f"{watch} deleted")


def add_to(app: typer.Typer) -> None:
    """Put the commands about watches into the command line."""
    app.add_typer(watches, name="watches")


def _tell(watch: Watch, as_json: bool) -> None:
    if as_json:
        print_json(watch.raw)
        return
    lines = [
        ("folder", watch.prefix),
        ("model", watch.model),
        ("state", watch.state),
        ("objects in jobs", f"{watch.objects_seen} in {watch.jobs_created} jobs"),
        ("backlog", f"{watch.backlog.objects} objects, {watch.backlog.items} items in jobs"),
        ("last listed", timestamp(watch.last_listed_at) if watch.last_listed_at else "not yet"),
    ]
    if watch.skipped.count:
        lines.append(("passed over", str(watch.skipped)))
    sys.stdout.write(aligned((watch.id, ""), lines))
    _say_error(watch)


def _say_error(watch: Watch) -> None:
    if watch.last_error:
        say(f"{watch.id} is failing: {watch.last_error}")


def _row(each: Watch) -> tuple[str, ...]:
    backlog = str(each.backlog.objects + each.backlog.items)
    at = timestamp(each.last_listed_at) if each.last_listed_at else ""
    seen, jobs = str(each.objects_seen), str(each.jobs_created)
    return (each.id, each.state, seen, jobs, backlog, at, each.model, each.prefix)
