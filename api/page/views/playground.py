"""The playground: one picture, one model, the answer drawn, and the same request as code."""

from flask import make_response, render_template, request
from flask.typing import ResponseReturnValue

from api.current import ground
from api.page.blueprint import page_blueprint
from api.page.drawing import LARGE, shown
from api.page.reasons import remedy
from api.page.views.job import find
from api.page.views.new import choices
from jobs.base.states import TERMINAL
from jobs.overview.pictures import read_result

playground = page_blueprint("playground")


@playground.get("/playground")
def show_playground() -> ResponseReturnValue:
    """Ask for a picture and a model."""
    return render_template(
        "playground.html", models=choices(), chosen=request.args.get("model", "")
    )


@playground.get("/playground/<job_id>")
def show_answer(job_id: str) -> ResponseReturnValue:
    """Show the answer of a job of one picture; until it is there, it is asked for again."""
    job = find(job_id)
    row = read_result(ground(), job, 0) if job.outputs_erased_at is None else None
    return make_response(
        render_template(
            "answer.html",
            job=job,
            item=None if row is None else shown(row, LARGE),
            is_over=job.status in TERMINAL,
            remedy=remedy,
        )
    )
