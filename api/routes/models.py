"""The models that jobs can name, and what may be sent to each of them."""

from typing import Any

from apiflask import APIBlueprint

from api.current import ground
from api.openapi import describe
from api.views import ModelList, ModelView, listed, model_view
from jobs.versions import aliases_of, newest_versions, resolve, versions_of

models = APIBlueprint("models", __name__, url_prefix="/v1/models", tag="Models")


@models.get("")
@describe(models, {200: ModelList})
def get_models() -> dict[str, Any]:
    """List the models, each in its newest version."""
    with ground().database.read() as session:
        found = newest_versions(session)
        return listed([model_view(each, aliases_of(session, each.name)) for each in found])


# A name may hold a slash, as "torchvision/resnet50" does; the route with more words wins.
@models.get("/<path:name>/versions")
@describe(models, {200: ModelList}, problems=(404,))
def get_versions(name: str) -> dict[str, Any]:
    """List the versions of a model, newest first."""
    with ground().database.read() as session:
        aliases = aliases_of(session, name)
        return listed([model_view(each, aliases) for each in versions_of(session, name)])


@models.get("/<path:name>")
@describe(models, {200: ModelView}, problems=(404,))
def get_model(name: str) -> dict[str, Any]:
    """Show the version that a name stands for: `digits`, `digits@3` or `digits@production`."""
    with ground().database.read() as session:
        version = resolve(session, name)
        return model_view(version, aliases_of(session, version.name)).model_dump(mode="json")
