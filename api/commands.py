"""Keys and buckets, for the operator.

flask --app api.wsgi keys create|list|revoke
flask --app api.wsgi buckets allow|list|withdraw|reseal
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy.exc import SQLAlchemyError

from api.current import ground
from jobs.base.database import unusable
from jobs.base.errors import PixelmillError
from jobs.buckets.allowances import allow, list_allowances, withdraw
from jobs.buckets.connections import reseal
from jobs.tenants.keys import LEAST_WEIGHT, MOST_WEIGHT, create_key, list_keys, revoke_key


class _UnusableError(click.ClickException):
    exit_code = 2


class _Commands(AppGroup):
    """Commands that say in one line when the database cannot be used."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SQLAlchemyError as err:
            raise _UnusableError(unusable(err)) from err


keys = _Commands("keys", help="Make, list and revoke the API keys of tenants.")


@keys.command("create")
@click.option("--tenant", required=True, metavar="NAME", help="Made as well if there is none.")
@click.option(
    "--weight",
    type=click.FloatRange(LEAST_WEIGHT, MOST_WEIGHT),
    help="The tenant's share of the hardware from now on, relative to the others'; 1 if new.",
)
@click.option("--name", default="", help="What the key is for, to know it by in the list.")
@click.option("--admin", is_flag=True, help="An operator's key: it may change what all share.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def create(tenant: str, weight: float | None, name: str, admin: bool, as_json: bool) -> None:
    """Make a key and print it: the only time that it can be seen."""
    made = create_key(ground().database, tenant, weight=weight, name=name, admin=admin)
    shown = {
        "key": made.key,
        "key_id": made.key_id,
        "tenant_id": made.tenant_id,
        "webhook_secret": made.webhook_secret,
    }
    if as_json:
        click.echo(json.dumps(shown))
        return
    for label, value in shown.items():
        click.echo(f"{label:15}{value}")
    click.echo("The key is shown this once and kept nowhere. Store it now.", err=True)


@keys.command("list")
def list_all() -> None:
    """List the keys, without their secrets."""
    with ground().database.read() as session:
        for tenant, key in list_keys(session):
            made = datetime.fromtimestamp(key.created_at, UTC).date()
            state = "revoked" if key.revoked_at else "active"
            role = " (admin)" if key.admin else ""
            click.echo(f"{key.id}  {state:8}{made}  {tenant}{role}  {key.name}".rstrip())


@keys.command("revoke")
@click.argument("key_id")
def revoke(key_id: str) -> None:
    """Revoke a key at once; its tenant's other keys, jobs and files stay."""
    with _told():
        revoke_key(ground().database, key_id)
    click.echo(f"Key {key_id} is revoked.")


buckets = _Commands("buckets", help="Say which folders of which buckets a tenant may name.")


@buckets.command("allow")
@click.argument("prefix")
@click.option("--tenant", required=True, metavar="NAME", help="Who may name it.")
@click.option("--endpoint", default="", help="Of a store that is not the provider's own.")
@click.option("--write", is_flag=True, help="To write results there; not to read.")
def allow_bucket(prefix: str, tenant: str, endpoint: str, write: bool) -> None:
    """Let a tenant name a folder and all below it, such as s3://bucket/path/."""
    floor = ground()
    with _told():
        allowance_id = allow(
            floor.database, floor.settings, tenant, prefix, endpoint, writing=write
        )
    click.echo(allowance_id)


@buckets.command("list")
def list_all_buckets() -> None:
    """List which folders tenants may name."""
    with ground().database.read() as session:
        for tenant, row in list_allowances(session):
            may = "write" if row.writing else "read"
            click.echo(f"{row.id}  {tenant}  {row.prefix}/  {may}  {row.endpoint}".rstrip())


@buckets.command("withdraw")
@click.argument("allowance_id")
def withdraw_bucket(allowance_id: str) -> None:
    """Take an allowance back; jobs that run read no more of that folder."""
    with _told():
        withdraw(ground().database, allowance_id)
    click.echo(f"{allowance_id} is withdrawn.")


@buckets.command("reseal")
def reseal_connections() -> None:
    """Seal tenants' credentials anew with the newest key; then the older ones may go."""
    with _told():
        count, lost = reseal(ground())
    click.echo(f"{count} sealed with the newest key.")
    for row in lost:
        click.echo(f"{row.id} of {row.tenant_id} is opened by none of the keys.", err=True)
    if lost:
        raise click.exceptions.Exit(1)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except PixelmillError as err:
        raise click.ClickException(err.message) from err
