"""Trainings: the list, and each with its curves, as far as they have come."""

from flask import Response, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from api.current import ground, tenant_id
from api.page.blueprint import is_fragment, page_blueprint
from api.page.curves import curves_of
from api.page.forms import read_form, takes_form
from api.trainings.schemas import TrainingListQuery
from api.trainings.views import training_view
from api.web.parsing import validated
from jobs.base.states import TERMINAL
from jobs.intake.trainings import get_training, list_trainings
from jobs.queue.completion import cancel

trainings = page_blueprint("trainings")

_ON_A_PAGE = 25


@trainings.get("/trainings")
def show_trainings() -> ResponseReturnValue:
    """Show the trainings of the tenant, newest first."""
    said = {"after": after} if (after := request.args.get("after")) else {}
    query = validated(TrainingListQuery, said)
    with ground().database.read() as session:
        found = list_trainings(session, tenant_id(), after=query.after, limit=_ON_A_PAGE + 1)
        views = [training_view(session, *each) for each in found[:_ON_A_PAGE]]
    return render_template(
        "models/trainings.html",
        trainings=views,
        after=query.after,
        next_after=views[-1].id if len(found) > _ON_A_PAGE else None,
    )


@trainings.get("/trainings/<training_id>")
def show_training(training_id: str) -> ResponseReturnValue:
    """Show how far a training is, with its curves; what came of it, or why nothing did."""
    with ground().database.read() as session:
        job, training = get_training(session, tenant_id(), training_id)
        view = training_view(session, job, training)
    return render_template(
        "models/progress.html" if is_fragment() else "models/training.html",
        view=view,
        is_over=job.status in TERMINAL,
        curves=curves_of(view.progress.history) if view.progress else [],
    )


@trainings.post("/trainings/<training_id>/cancel")
@takes_form
def cancel_training(training_id: str) -> Response:
    """Cancel a training."""
    read_form()
    with ground().database.read() as session:
        get_training(session, tenant_id(), training_id)
    cancel(ground().database, tenant_id(), training_id)
    ground().hints.tell_moved(training_id)
    address = url_for("page_trainings.show_training", training_id=training_id, done="cancelling")
    return make_response(redirect(address, 303))
