"""Versions in the shadow of an alias: for operators alone, as they run on everybody's inputs."""

from typing import Any

from apiflask import APIBlueprint

from api.current import actor, ground, require_admin, tenant_id
from api.models.schemas import ShadowPut
from api.models.shadow_views import ShadowView, shadow_view
from api.web.openapi import describe
from api.web.parsing import read_body
from api.web.views import Deleted
from jobs.versions.names import stored_name
from jobs.versions.shadows import end_shadow, get_shadow, set_shadow

shadows = APIBlueprint("shadows", __name__, url_prefix="/v1/models", tag="Models")

_PATH = "/<path:name>/aliases/<alias>/shadow"
_TRYING = "Trying a version in the shadow"


@shadows.put(_PATH)
@describe(
    shadows,
    {200: ShadowView},
    problems=(400, 403, 404, 413, 415, 422),
    body={"application/json": ShadowPut},
)
def put_shadow(name: str, alias: str) -> dict[str, Any]:
    """Have a version run, unseen, on a sample of what comes in by an alias.

    Its figures begin anew. Callers see nothing of it, and are charged nothing.
    """
    require_admin(_TRYING)
    body, _ = read_body(ShadowPut)
    stored = stored_name(name, tenant_id())
    shadow = set_shadow(ground().database, stored, alias, body.version, body.percent, actor())
    return shadow_view(shadow).model_dump(mode="json")


@shadows.get(_PATH)
@describe(shadows, {200: ShadowView}, problems=(403, 404))
def get_one_shadow(name: str, alias: str) -> dict[str, Any]:
    """Show the version in the shadow of an alias, and how it does so far."""
    require_admin(_TRYING)
    with ground().database.read() as session:
        shadow = get_shadow(session, stored_name(name, tenant_id()), alias)
        return shadow_view(shadow).model_dump(mode="json")


@shadows.delete(_PATH)
@describe(shadows, {200: Deleted}, problems=(403, 404))
def delete_shadow(name: str, alias: str) -> dict[str, Any]:
    """Have no version run in the shadow of an alias any more."""
    require_admin(_TRYING)
    end_shadow(ground().database, stored_name(name, tenant_id()), alias, actor())
    return Deleted(id=f"{name}@{alias}", object="model.shadow").model_dump(mode="json")
