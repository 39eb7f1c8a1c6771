"""Keys, for the operator: `flask --app api.wsgi keys create|list|revoke`."""

import json
from datetime import UTC, datetime
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy.exc import SQLAlchemyError

from api.current import ground
from jobs.base.database import unusable
from jobs.base.errors import NotFound
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
    try:
        revoke_key(ground().database, key_id)
    except NotFound as err:
        raise click.ClickException(err.message) from err
    click.echo(f"Key {key_id} is revoked.")
