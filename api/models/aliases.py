"""Aliases: names that move between a model's versions, with or without a canary."""

from typing import Any

from apiflask import APIBlueprint
from sqlalchemy.orm import Session

from api.current import actor, changeable, ground, tenant_id
from api.models.schemas import AliasPut, plain
from api.models.views import AliasList, AliasView, alias_view
from api.web.openapi import describe
from api.web.parsing import read_body
from api.web.views import Deleted, listed
from jobs.tables import ModelAlias
from jobs.versions.aliases import aliases_of, read_alias, remove_alias, set_alias
from jobs.versions.canaries import measure
from jobs.versions.registry import find

aliases = APIBlueprint("aliases", __name__, url_prefix="/v1/models", tag="Models")


@aliases.get("/<path:name>/aliases")
@describe(aliases, {200: AliasList}, problems=(404,))
def get_aliases(name: str) -> dict[str, Any]:
    """List the aliases of a model, with their canaries."""
    with ground().database.read() as session:
        stored = find(session, name, tenant_id()).version.name
        return listed([_view(session, each) for each in aliases_of(session, stored)])


@aliases.get("/<path:name>/aliases/<alias>")
@describe(aliases, {200: AliasView}, problems=(404,))
def get_alias(name: str, alias: str) -> dict[str, Any]:
    """Show where an alias points, how its canary does, and how the last one ended."""
    with ground().database.read() as session:
        stored = find(session, name, tenant_id()).version.name
        return _view(session, read_alias(session, stored, alias)).model_dump(mode="json")


@aliases.put("/<path:name>/aliases/<alias>")
@describe(
    aliases,
    {200: AliasView},
    problems=(400, 403, 404, 415, 422),
    body={"application/json": AliasPut},
)
def put_alias(name: str, alias: str) -> dict[str, Any]:
    """Make an alias name a version; jobs that exist keep the version that they have pinned.

    With `canary` a part of the new jobs gets another version, until that one does worse than its
    limits allow, or until the alias is put again: to the canary's version, which promotes it, or
    without a canary, which ends it. Repeating a call changes nothing.
    """
    stored = changeable(name)
    body, _ = read_body(AliasPut)
    canary = None if body.canary is None else plain(body.canary)
    with ground().database.read() as session:
        find(session, name, tenant_id())
    row = set_alias(ground().database, stored, alias, body.version, canary, actor())
    with ground().database.read() as session:
        return _view(session, row).model_dump(mode="json")


@aliases.delete("/<path:name>/aliases/<alias>")
@describe(aliases, {200: Deleted}, problems=(403, 404))
def delete_alias(name: str, alias: str) -> dict[str, Any]:
    """Remove an alias, and end its canary."""
    remove_alias(ground().database, changeable(name), alias, actor())
    return Deleted(id=f"{name}@{alias}", object="model.alias").model_dump()


def _view(session: Session, alias: ModelAlias) -> AliasView:
    return alias_view(alias, measure(session, alias))
