"""`pixelmill admin jobs`: what goes on over all tenants, why a job waits, workers drained."""

import math
import sys
import time
from collections.abc import Sequence
from itertools import islice
from typing import Annotated, Any

import typer

from pixelmill.cli.exits import Commands, ExitCode
from pixelmill.cli.options import AsJson
from pixelmill.cli.showing.display import aligned, say, timestamp
from pixelmill.cli.showing.watching import print_json
from pixelmill.client.client import Client
from pixelmill.client.operation.admin import Row

PANEL = "Operators"

_LOOK_S = 1.0
# Longer than a worker takes to hear that it is drained (PIXELMILL_POLL_S).
_SETTLED_S = 5.0
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_K = 1024

WorkerName = Annotated[
    str,
    typer.Argument(
        metavar="WORKER",
        help="As `admin workers` names it; a launcher's name, before the slash, is all of its "
        "own, and a host's name, before the last hyphen, all of that machine's.",
        show_default=False,
    ),
]

admin = typer.Typer(
    cls=Commands, no_args_is_help=True, help="All tenants at once; wants an operator's key."
)


@admin.command("jobs")
def list_jobs(
    tenant: Annotated[str | None, typer.Option("--tenant", help="Only of this one.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List the jobs that are not over, oldest first, and say why each waits."""
    with Client() as client:
        found = list(islice(client.admin.jobs(tenant=tenant), limit))
    header = ("JOB", "TENANT", "STATUS", "POOL", "PRIORITY", "DONE", "CREATED", "WHY")
    _show(header, found, _job_row, as_json)


@admin.command("tenants")
def list_tenants(as_json: AsJson = False) -> None:
    """List the tenants, their shares and what they have waiting."""
    with Client() as client:
        found = list(client.admin.tenants())
    header = ("TENANT", "WEIGHT", "SHARE", "KEYS", "OPEN JOBS", "WAITING SHARDS")
    names = ("name", "weight", "share", "keys", "open_jobs", "waiting_shards")
    _show(header, found, lambda row: [str(row[name]) for name in names], as_json)


@admin.command("workers")
def list_workers(as_json: AsJson = False) -> None:
    """List the worker processes, and which jobs each is at."""
    with Client() as client:
        found = client.admin.workers()
    header = ("WORKER", "POOL", "STATE", "VERSION", "SEEN", "AT WORK ON")
    _show(header, found, _worker_row, as_json)


@admin.command("usage")
def list_usage(
    days: Annotated[float, typer.Option("--days", help="Jobs of the last so many.")] = 30,
    as_json: AsJson = False,
) -> None:
    """Say what each tenant's jobs have used, the greatest first."""
    with Client() as client:
        found = client.admin.usage(days=days)
    header = ("TENANT", "JOBS", "ITEMS", "COMPLETED", "FAILED", "DEVICE SECONDS")
    names = ("tenant", "jobs", "items", "completed", "failed", "device_seconds")
    _show(header, found, lambda row: [str(row[name]) for name in names], as_json)


@admin.command("storage")
def show_storage(as_json: AsJson = False) -> None:
    """Say who keeps how much of what was uploaded, and what room there is."""
    with Client() as client:
        answer = client.admin.storage()
    if as_json:
        print_json(answer)
        return
    rows = [[row["tenant"], str(row["files"]), _size(row["bytes"])] for row in answer["data"]]
    sys.stdout.write(aligned(("TENANT", "FILES", "SIZE"), rows))
    if answer["free_bytes"] is not None:
        free, total = _size(answer["free_bytes"]), _size(answer["total_bytes"])
        say(f"{answer['storage']}: {free} of {total} free")


@admin.command("drain")
def drain_worker(
    worker: WorkerName,
    wait: Annotated[
        bool, typer.Option("--wait", help="Until nothing is in flight there any more.")
    ] = False,
    timeout: Annotated[
        float | None, typer.Option("--timeout", help="Seconds to wait at most.")
    ] = None,
) -> None:
    """Have a worker claim nothing from now on; what is in flight is finished."""
    with Client() as client:
        names = client.admin.drain(worker)
        if wait:
            _await_idle(client, names, timeout)
    for name in names:
        typer.echo(name)


@admin.command("resume")
def resume_worker(worker: WorkerName) -> None:
    """Let a worker that was drained claim again."""
    with Client() as client:
        for name in client.admin.resume(worker):
            typer.echo(name)


def add_to(app: typer.Typer) -> None:
    """Put the operators' view into the command line."""
    app.add_typer(admin, name="admin", rich_help_panel=PANEL)


def _await_idle(client: Client, names: Sequence[str], timeout: float | None) -> None:
    """Wait until workers have finished what they held; ends the command when they do not."""
    # A worker reads that it is drained every few seconds, and may claim until then.
    quiet_since, began_at = None, time.monotonic()
    while True:
        at_work = [
            row["id"] for row in client.admin.workers() if row["id"] in names and row["shards"]
        ]
        now = time.monotonic()
        quiet_since = None if at_work else (quiet_since or now)
        if quiet_since is not None and now - quiet_since >= _SETTLED_S:
            return
        if at_work and timeout is not None and now - began_at > timeout:
            say(f"{', '.join(at_work)} still at work; they claim nothing new")
            raise typer.Exit(ExitCode.TIMED_OUT)
        time.sleep(_LOOK_S)


def _show(header: Sequence[str], rows: list[Row], cells: Any, as_json: bool) -> None:
    if as_json:
        print_json(rows)
        return
    sys.stdout.write(aligned(header, [cells(row) for row in rows]))


def _job_row(row: Row) -> list[str]:
    counts = row["request_counts"]
    done = f"{counts['total'] - counts['processing']}/{counts['total']}"
    created = timestamp(row["created_at"])
    named = [row[name] for name in ("id", "tenant", "status", "pool", "priority")]
    return [*named, done, created, row["why"]]


def _worker_row(row: Row) -> list[str]:
    jobs: dict[str, int] = {}
    for shard in row["shards"]:
        jobs[shard["job_id"]] = jobs.get(shard["job_id"], 0) + 1
    at = ", ".join(f"{job} ({count})" for job, count in jobs.items()) or "-"
    # Who is told to end says so at once, and finishes what it holds.
    seen = timestamp(row["seen_at"]) if row["seen_at"] else "ending" if jobs else "ended"
    return [row["id"], row["pool"], row["state"], row["version"], seen, at]


def _size(count: float) -> str:
    power = min(int(math.log(max(count, 1), _K)), len(_UNITS) - 1)
    return f"{count / _K**power:.{1 if power else 0}f} {_UNITS[power]}"
