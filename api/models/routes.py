"""The models that jobs can name, what may be sent to each, and how a version comes and goes."""

from typing import Any

from apiflask import APIBlueprint
from flask import Response, jsonify

from api.current import actor, changeable, ground, link, tenant_id
from api.models.registering import register_version
from api.models.schemas import ModelListQuery, VersionCreate, VersionForm
from api.models.views import CardView, ModelList, ModelView, card_view, model_view
from api.web.openapi import describe
from api.web.parsing import read_query
from api.web.views import Deleted, listed
from api.web.waiting import Wait, hold_until, wanted_wait
from jobs.aftercare.evaluation import evaluations_of
from jobs.base.errors import InvalidRequest
from jobs.base.states import VersionState
from jobs.base.storage import weights_name
from jobs.tables import ModelVersion
from jobs.versions.aliases import aliases_of
from jobs.versions.deletion import delete_version
from jobs.versions.lists import list_models, list_versions
from jobs.versions.names import shown_name, unknown_model
from jobs.versions.registry import find, read_version

models = APIBlueprint("models", __name__, url_prefix="/v1/models", tag="Models")

# Of those that a version's card lists.
_MOST_EVALUATIONS = 5


@models.get("")
@describe(models, {200: ModelList}, problems=(422,), query=ModelListQuery)
def get_models() -> dict[str, Any]:
    """List the models that you can use, your own among them, each in its newest version."""
    query = read_query(ModelListQuery)
    with ground().database.read() as session:
        found, has_more = list_models(session, tenant_id(), after=query.after, limit=query.limit)
        aliases = aliases_of(session, *(each.name for each in found))
        return listed([model_view(each, aliases) for each in found], has_more)


# A name may hold a slash, as "torchvision/resnet50" does; the route with more words wins.
@models.get("/<path:name>/versions")
@describe(models, {200: ModelList}, problems=(404, 422), query=ModelListQuery)
def get_versions(name: str) -> dict[str, Any]:
    """List the versions of a model, newest first, also those that are not ready."""
    query = read_query(ModelListQuery)
    with ground().database.read() as session:
        found, has_more = list_versions(
            session, name, tenant_id(), after=query.after, limit=query.limit
        )
        aliases = aliases_of(session, *{each.name for each in found})
        return listed([model_view(each, aliases) for each in found], has_more)


@models.post("/<path:name>/versions")
@describe(
    models,
    {201: ModelView, 202: ModelView, 200: ModelView},
    problems=(400, 403, 404, 409, 413, 415, 422),
    body={"multipart/form-data": VersionForm, "application/json": VersionCreate},
    headers=("Prefer",),
    blob_name=weights_name,
)
def post_version(name: str) -> Response:
    """Register a version: safetensors weights, and a record that says how they are run.

    A worker tries it out; 202 means that this is still to come, 201 that it is ready, 422 that it
    was refused: with `Prefer: wait=N` the answer is held for that. Weights and record that the
    model has already are answered 200 with their version. `my/…` names models of your own; others
    are shared by all and need an operator's key.
    """
    stored = changeable(name)
    version, is_new = register_version(name, stored)

    def look() -> ModelVersion:
        with ground().database.read() as session:
            return read_version(session, stored, version.version)

    def answer(wait: Wait) -> Response:
        response = _registered(look(), is_new=is_new)
        response.headers.update(wait.headers)
        response.headers["Location"] = link(f"/v1/models/{name}/versions/{version.version}")
        return response

    return hold_until(
        lambda: look().state is not VersionState.VALIDATING,
        wanted_wait(),
        f"{stored}@{version.version}",
        answer,
    )


@models.get("/<path:name>/versions/<version>")
@describe(models, {200: CardView}, problems=(404,))
def get_version(name: str, version: str) -> Response:
    """Show one version of a model, whatever its state, and your newest evaluations of it."""
    return _card(f"{name}@{_number(name, version)}")


@models.delete("/<path:name>/versions/<version>")
@describe(models, {200: Deleted}, problems=(403, 404, 409))
def remove_version(name: str, version: str) -> dict[str, Any]:
    """Delete a version: no new job gets it; its weights are erased after its last open job.

    While an alias names it, as itself or as a canary, this is refused with 409.
    """
    number = _number(name, version)
    delete_version(ground().database, changeable(name), number, actor())
    return Deleted(id=f"{name}@{number}", object="model").model_dump()


@models.get("/<path:name>")
@describe(models, {200: CardView}, problems=(404,))
def get_model(name: str) -> Response:
    """Show the version that a name stands for: `digits`, `digits@3` or `digits@production`."""
    return _card(name)


def _registered(version: ModelVersion, *, is_new: bool) -> Response:
    if version.state is VersionState.REFUSED:
        raise InvalidRequest(f"{shown_name(version.name)} was refused: {version.reason}")
    is_ready = version.state is VersionState.READY
    response = _shown(version)
    response.status_code = 202 if not is_ready else 201 if is_new else 200
    return response


def _shown(version: ModelVersion) -> Response:
    with ground().database.read() as session:
        aliases = aliases_of(session, version.name)
    return jsonify(model_view(version, aliases).model_dump(mode="json"))


def _card(reference: str) -> Response:
    with ground().database.read() as session:
        version = find(session, reference, tenant_id()).version
        aliases = aliases_of(session, version.name)
        evaluations = evaluations_of(session, tenant_id(), version, _MOST_EVALUATIONS)
        view = card_view(version, aliases, evaluations)
    return jsonify(view.model_dump(mode="json"))


def _number(name: str, version: str) -> int:
    if not (version.isascii() and version.isdecimal() and len(version) < 9):
        raise unknown_model(f"{name}@{version}")
    return int(version)
