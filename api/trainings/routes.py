"""Trainings: submitted, looked at, cancelled, deleted."""

from typing import Any

from apiflask import APIBlueprint
from flask import Response, jsonify, request

from api.current import ground, link, span, tenant_id
from api.jobs.answers import once
from api.jobs.submitting import checked_webhook, find_file, idempotency_of
from api.trainings.schemas import (
    TrainingCreate,
    TrainingDeleted,
    TrainingList,
    TrainingListQuery,
    TrainingParams,
    TrainingView,
)
from api.trainings.views import training_view
from api.web.deadlines import seconds_to_run
from api.web.openapi import describe, show
from api.web.parsing import read_body, read_query
from api.web.views import listed
from api.web.waiting import Wait, hold, wanted_wait
from jobs.aftercare.deletion import delete_job
from jobs.base.errors import InvalidRequest, NotAllowed, NotFound
from jobs.base.states import TERMINAL
from jobs.intake.trainings import (
    TrainingSubmission,
    get_training,
    list_trainings,
    submit_training,
)
from jobs.queue.completion import cancel
from jobs.tables import Job, Training
from jobs.versions.names import MINE, check_new_name, stored_name
from jobs.versions.registry import check_task
from models.catalog import ARCHITECTURE_TASKS
from models.records.errors import ParamsError
from models.training.recipes import Recipe, read_recipe

trainings = APIBlueprint("trainings", __name__, url_prefix="/v1/trainings", tag="Trainings")

# What `params` may be: a recipe reads it, not the body's schema.
show(TrainingParams)

_LOOK_AGAIN_S = 2


def refuse_trainings() -> None:
    """Keep trainings from the calls that are about jobs; an id tells what it names."""
    job_id = (request.view_args or {}).get("job_id", "")
    if job_id.startswith("trn_"):
        raise NotFound(f"There is no job {job_id!r}: see GET /v1/trainings/{job_id}.")


@trainings.post("")
@describe(
    trainings,
    {202: TrainingView},
    problems=(400, 403, 404, 409, 413, 415, 422),
    body={"application/json": TrainingCreate},
    headers=("Idempotency-Key", "Prefer", "Cancel-After"),
)
def create_training() -> Response:
    """Train a network on a data set of one folder a class, and register it as a new version.

    It runs in turns between other jobs, at low priority unless told otherwise. 202 means that it is
    stored and will be run.
    """
    body, plain = read_body(TrainingCreate)
    idempotency = idempotency_of(plain)
    job, is_new = once(
        idempotency, lambda: submit_training(ground(), _submission_of(body), idempotency)
    )
    headers = {"Location": link(f"/v1/trainings/{job.id}")}
    if not is_new:
        headers["Idempotent-Replayed"] = "true"
    return _answer_after_wait(job.id, 202, headers)


@trainings.get("")
@describe(trainings, {200: TrainingList}, problems=(422,), query=TrainingListQuery)
def get_trainings() -> dict[str, Any]:
    """List trainings, newest first; they do not stand among the jobs."""
    query = read_query(TrainingListQuery)
    with ground().database.read() as session:
        found = list_trainings(session, tenant_id(), after=query.after, limit=query.limit + 1)
        views = [training_view(session, *each) for each in found[: query.limit]]
    return listed(views, len(found) > query.limit)


@trainings.get("/<training_id>")
@describe(trainings, {200: TrainingView}, problems=(404,), headers=("Prefer",))
def get_one_training(training_id: str) -> Response:
    """Show how far a training is; with `Prefer: wait=N`, once it is over or after N seconds."""
    _find(training_id)
    return _answer_after_wait(training_id, 200, {})


@trainings.post("/<training_id>/cancel")
@describe(trainings, {200: TrainingView}, problems=(404, 409))
def cancel_training(training_id: str) -> Response:
    """Cancel a training: it stops after the step that runs, and no version comes of it.

    Repeating it is harmless; a training that is over already answers 409.
    """
    _find(training_id)
    cancel(ground().database, tenant_id(), training_id)
    return _answer(training_id, 200, Wait(0, asked=False))


@trainings.delete("/<training_id>")
@describe(trainings, {200: TrainingDeleted}, problems=(404,))
def delete_training(training_id: str) -> dict[str, Any]:
    """Delete a training with all that it holds; a version that came of it stays."""
    _find(training_id)
    job = delete_job(ground(), tenant_id(), training_id)
    erased_at = None if job.outputs_erased_at is None else int(job.outputs_erased_at)
    receipt = TrainingDeleted(id=job.id, deleted_at=int(job.deleted_at or 0), erased_at=erased_at)
    return receipt.model_dump(mode="json")


def _submission_of(body: TrainingCreate) -> TrainingSubmission:
    settings = ground().settings
    recipe, name = _recipe_of(body), _stored_name(body.name)
    with ground().database.read() as session:
        check_task(session, name, ARCHITECTURE_TASKS[recipe.architecture], param="architecture")
    return TrainingSubmission(
        tenant_id=tenant_id(),
        name=name,
        input_file_id=find_file(body.input_file_id).id,
        recipe=recipe.model_dump(mode="json"),
        requested={"model": body.name, "params": body.params or {}},
        pool=settings.pool_for_jobs,
        priority=body.priority,
        metadata=body.metadata,
        webhook=checked_webhook(body.webhook, settings),
        completion_window=body.completion_window,
        completion_window_s=seconds_to_run(body.completion_window, settings.completion_window_s),
        delete_inputs=body.delete_inputs,
        traceparent=span().context,
    )


def _recipe_of(body: TrainingCreate) -> Recipe:
    params = body.params or {}
    if "architecture" in params:
        text = "`architecture` stands beside `params`, not in it."
        raise InvalidRequest(text, param="params.architecture")
    try:
        return read_recipe({**params, "architecture": body.architecture})
    except ParamsError as err:
        param = err.param if err.param == "architecture" else f"params.{err.param}"
        raise InvalidRequest(str(err), param=param) from err


def _stored_name(name: str) -> str:
    check_new_name(name)
    if not name.startswith(MINE):
        raise NotAllowed(
            f"{name!r} would be shared by all tenants; name a model of your own, such as "
            f"`{MINE}{name}`.",
            param="name",
        )
    return stored_name(name, tenant_id())


def _find(training_id: str) -> Training:
    with ground().database.read() as session:
        _, training = get_training(session, tenant_id(), training_id)
    return training


def _answer_after_wait(training_id: str, status: int, headers: dict[str, str]) -> Response:
    def answer(_: Job, wait: Wait) -> Response:
        response = _answer(training_id, status, wait)
        response.headers.update(headers)
        return response

    return hold(training_id, wanted_wait(), answer)


def _answer(training_id: str, status: int, wait: Wait) -> Response:
    with ground().database.read() as session:
        job, training = get_training(session, tenant_id(), training_id)
        view = training_view(session, job, training)
    response = jsonify(view.model_dump(mode="json"))
    response.status_code = status
    response.headers.update(wait.headers)
    if job.status not in TERMINAL:
        response.headers["Retry-After"] = str(_LOOK_AGAIN_S)
    return response
