"""New jobs: a form whose answers a script sends to the API's own calls, under the same limits."""

from flask import render_template, request
from flask.typing import ResponseReturnValue

from api.current import ground, tenant_id
from api.page.blueprint import page_blueprint
from api.page.parameters import parameters_of
from jobs.buckets.allowances import allowances_of
from jobs.buckets.connections import list_connections
from jobs.versions.lists import list_models
from jobs.versions.names import shown_name
from jobs.versions.registry import find

new = page_blueprint("new")

_MOST_MODELS = 100


@new.get("/new")
def show_form() -> ResponseReturnValue:
    """Ask for the items and the model of a job."""
    settings = ground().settings
    with ground().database.read() as session:
        connections = list_connections(session, tenant_id())
        allowances = allowances_of(session, tenant_id())
    return render_template(
        "new.html",
        models=choices(),
        chosen=request.args.get("model", ""),
        connections=connections,
        allowances=allowances,
        most_items=settings.max_inline_items,
        most_bytes=settings.max_body_bytes,
    )


@new.get("/new/params")
def show_params() -> ResponseReturnValue:
    """Give the fields of a model's parameters, as somebody has chosen it."""
    with ground().database.read() as session:
        version = find(session, request.args.get("model", "").strip(), tenant_id()).version
    task = version.task
    return render_template("params.html", task=task, parameters=parameters_of(task))


def choices() -> list[tuple[str, str]]:
    """Give the models that the tenant can name, each with its task."""
    with ground().database.read() as session:
        found, _ = list_models(session, tenant_id(), after=None, limit=_MOST_MODELS)
    return [(shown_name(each.name), each.task) for each in found]
