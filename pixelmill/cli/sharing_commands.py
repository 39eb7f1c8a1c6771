"""Commands for those who look at a job: what its answers come to, and links that show it."""

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from pixelmill.cli.child_commands import PANEL
from pixelmill.cli.exits import EXIT_HELP
from pixelmill.cli.options import AsJson, JobId
from pixelmill.cli.showing.display import aligned, say, timestamp
from pixelmill.cli.showing.watching import print_json
from pixelmill.client.client import Client

ShareId = Annotated[str, typer.Argument(metavar="SHARE", help="The link's id.", show_default=False)]


def summary(
    job_id: JobId,
    classes: Annotated[int, typer.Option("--classes", min=1, help="Name at most so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Print how often each class was found."""
    with Client() as client:
        found = client.summary(job_id, classes=classes)
    if as_json:
        print_json(found)
        return
    sys.stdout.write(summary_lines(found))
    if not found["is_complete"]:
        say("not everything is counted yet: ask again")


def share(
    job_id: JobId,
    days: Annotated[float, typer.Option("--days", help="For so many days.")] = 7.0,
    as_json: AsJson = False,
) -> None:
    """Make a link that shows a job and its results to whoever has it, without a key."""
    with Client() as client:
        made = client.share(job_id, days=days)
    if as_json:
        print_json(made.raw)
        return
    typer.echo(made.url)
    say(f"until {timestamp(made.expires_at)}; `pixelmill unshare {made.job_id} {made.id}` ends it")


def shares(job_id: JobId, as_json: AsJson = False) -> None:
    """List the links that show a job: those that are open, then those that are over."""
    with Client() as client:
        found = client.shares(job_id)
    if as_json:
        print_json([each.raw for each in found])
        return
    rows = [(each.id, timestamp(each.expires_at), each.url or "over") for each in found]
    sys.stdout.write(aligned(("SHARE", "UNTIL", "LINK"), rows))


def unshare(job_id: JobId, share_id: ShareId) -> None:
    """Take a link back: it shows nothing any more."""
    with Client() as client:
        client.revoke_share(job_id, share_id)
    typer.echo(f"{share_id} shows nothing any more")


def add_to(app: typer.Typer) -> None:
    """Put these commands into the command line."""
    for command in (summary, share, shares, unshare):
        app.command(epilog=EXIT_HELP, rich_help_panel=PANEL)(command)


def summary_lines(summary: Mapping[str, Any]) -> str:
    """Describe a summary: a line for each class, and what has none."""
    rows = [(each["class"], str(each["count"])) for each in summary["classes"]]
    text = aligned(("CLASS", "FOUND"), rows) if rows else ""
    others = summary["other_classes"]
    if others["count"]:
        text += f"{others['count']} of {others['classes'] or 'other'} classes beside these\n"
    return text + f"{summary['findings']} found in {summary['items']} items\n"
