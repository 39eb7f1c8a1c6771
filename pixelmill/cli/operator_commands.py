"""Commands for who runs the machines. They start processes; this package imports none of them."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from pixelmill.cli.exits import Commands
from pixelmill.stack.local_stack import operators_environ
from pixelmill.wire.connection import DEFAULT_DATA, find_stack_here

PANEL = "Operators"
DEFAULT_PORT = 8080
DEFAULT_URL = f"http://127.0.0.1:{DEFAULT_PORT}"

_KEYS = ("-m", "flask", "--app", "api.wsgi", "keys")

_BUCKETS = ("-m", "flask", "--app", "api.wsgi", "buckets")

buckets = typer.Typer(
    cls=Commands, no_args_is_help=True, help="Which buckets tenants may name in jobs."
)
keys = typer.Typer(cls=Commands, no_args_is_help=True, help="The keys of tenants.")


def up(
    data: Annotated[
        Path, typer.Option("--data", envvar="PIXELMILL_DATA", help="Where everything is kept.")
    ] = DEFAULT_DATA,
    port: Annotated[int, typer.Option("--port", min=0, max=65535)] = DEFAULT_PORT,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes on the CPU.")] = 1,
    gpus: Annotated[str | None, typer.Option("--gpus", help="GPUs to use, such as 0,1.")] = None,
    cpu: Annotated[bool, typer.Option("--cpu", help="Use no GPU.")] = False,
) -> None:
    """Run the whole of Pixelmill on this machine, until Ctrl-C."""
    if cpu and gpus is not None:
        raise typer.BadParameter("--cpu and --gpus exclude each other; give one of them.")
    # Here and not above: the stack's imports would slow every other command down.
    from pixelmill.stack.stack import up as run_stack

    raise typer.Exit(run_stack(data, port, workers, "" if cpu else gpus))


def doctor(
    url: Annotated[
        str | None, typer.Option("--url", help="Of the API; that of the local stack if none.")
    ] = None,
) -> None:
    """Check an installation: settings, database, storage, disk, Redis, workers, versions, ports.

    One line each, with the remedy. Exit status: 0 all is well; 1 something is wrong.
    """
    environ = operators_environ()
    stack = {} if os.environ.get("PIXELMILL_DATABASE_URL") else find_stack_here()
    if redis_url := stack.get("redis_url"):
        environ.setdefault("PIXELMILL_REDIS_URL", redis_url)
    url = url or os.environ.get("PIXELMILL_URL") or stack.get("url") or DEFAULT_URL
    command = [sys.executable, "-m", "jobs.checkup", "--url", url]
    raise typer.Exit(subprocess.run(command, env=environ, check=False).returncode)


def register(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False)],
) -> None:
    """Register a model, so that jobs can name it.

    What stands behind NAME, such as --weights FILE, goes to `python -m workers.register` as it is.
    """
    raise typer.Exit(_run("-m", "workers.register", name, *context.args))


@keys.command("create")
def create_key(
    tenant: Annotated[str, typer.Option("--tenant", metavar="NAME", show_default=False)],
    weight: Annotated[
        float | None,
        typer.Option("--weight", help="The tenant's share of the hardware; 1 if it is new."),
    ] = None,
    admin: Annotated[
        bool, typer.Option("--admin", help="An operator's: it may change what all share.")
    ] = False,
) -> None:
    """Create a key for a tenant, who is created as well if there is none; it is shown once."""
    role = ("--admin",) if admin else ()
    share = () if weight is None else ("--weight", str(weight))
    raise typer.Exit(_run(*_KEYS, "create", "--tenant", tenant, *share, *role))


@keys.command("list")
def list_keys() -> None:
    """List the keys of all tenants, without their secrets."""
    raise typer.Exit(_run(*_KEYS, "list"))


@keys.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", show_default=False)],
) -> None:
    """Revoke a key at once; its tenant's other keys, jobs and files stay."""
    raise typer.Exit(_run(*_KEYS, "revoke", key_id))


@buckets.command("allow")
def allow_bucket(
    prefix: Annotated[str, typer.Argument(metavar="ADDRESS", show_default=False)],
    tenant: Annotated[str, typer.Option("--tenant", metavar="NAME", show_default=False)],
    endpoint: Annotated[
        str, typer.Option("--endpoint", help="Of a store that is not the provider's own.")
    ] = "",
    write: Annotated[
        bool, typer.Option("--write", help="To write results there; not to read.")
    ] = False,
) -> None:
    """Let a tenant name a folder and all below it, such as s3://bucket/path/."""
    at = ("--endpoint", endpoint) if endpoint else ()
    to = ("--write",) if write else ()
    raise typer.Exit(_run(*_BUCKETS, "allow", "--tenant", tenant, *at, *to, "--", prefix))


@buckets.command("list")
def list_buckets() -> None:
    """List which folders tenants may name."""
    raise typer.Exit(_run(*_BUCKETS, "list"))


@buckets.command("withdraw")
def withdraw_bucket(
    allowance_id: Annotated[str, typer.Argument(metavar="ID", show_default=False)],
) -> None:
    """Take an allowance back; jobs that run read no more of that folder."""
    raise typer.Exit(_run(*_BUCKETS, "withdraw", "--", allowance_id))


@buckets.command("reseal")
def reseal_connections() -> None:
    """Seal tenants' credentials anew with the newest of PIXELMILL_CONNECTION_KEY."""
    raise typer.Exit(_run(*_BUCKETS, "reseal"))


def add_to(app: typer.Typer) -> None:
    """Put the operators' commands into the command line."""
    app.command(rich_help_panel=PANEL)(up)
    app.command(rich_help_panel=PANEL)(doctor)
    passed_on = {"allow_extra_args": True, "ignore_unknown_options": True}
    app.command(rich_help_panel=PANEL, context_settings=passed_on)(register)
    app.add_typer(buckets, name="buckets", rich_help_panel=PANEL)
    app.add_typer(keys, name="keys", rich_help_panel=PANEL)


def _run(*arguments: str) -> int:
    """Run a Python process in this one's place, for the local stack unless the environment says."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=operators_environ(), check=False).returncode
