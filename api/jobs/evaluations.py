"""Evaluations: a version held against labelled items of its caller's own."""

from apiflask import APIBlueprint
from flask import Response, jsonify

from api.current import ground, tenant_id
from api.jobs.answers import accepted_after_wait
from api.jobs.schemas import EvaluationCreate
from api.jobs.submitting import evaluation_of, idempotency_of
from api.jobs.views import JobView
from api.results.evaluations import EvaluationView, evaluation_view
from api.web.openapi import describe
from api.web.parsing import read_body
from jobs.aftercare.evaluation import get_evaluation
from jobs.intake.evaluations import submit_evaluation
from jobs.intake.submission import find_earlier
from jobs.queue.reading import get_job

evaluations = APIBlueprint("evaluations", __name__, url_prefix="/v1/evaluations", tag="Evaluations")
# What came of them stands beside their jobs' results.
job_evaluations = APIBlueprint("job_evaluations", __name__, tag="Evaluations")

_LOOK_AGAIN_S = 2


@evaluations.post("")
@describe(
    evaluations,
    {202: JobView},
    problems=(400, 404, 409, 413, 415, 422),
    body={"application/json": EvaluationCreate},
    headers=("Idempotency-Key", "Prefer", "Cancel-After"),
)
def create_evaluation() -> Response:
    """Run a version on labelled items, to say how good it is at them.

    202 with a job, `kind` evaluation. A class that the version does not know fails the job before
    anything runs; `GET /v1/jobs/{id}/evaluation` has the figures when all has run. Models that
    classify, detect or segment are evaluated.
    """
    body, plain = read_body(EvaluationCreate)
    idempotency = idempotency_of(plain)
    if (earlier := find_earlier(ground(), tenant_id(), idempotency)) is not None:
        return accepted_after_wait(earlier, is_new=False)
    submission = evaluation_of(body)
    job, is_new = submit_evaluation(ground(), submission, body.truth_file_id, idempotency)
    return accepted_after_wait(job, is_new=is_new)


@job_evaluations.get("/<job_id>/evaluation")
@describe(job_evaluations, {200: EvaluationView}, problems=(404,))
def get_one_evaluation(job_id: str) -> Response:
    """Show how good a version is on labelled items.

    `status` is waiting until the job is over and its answers were held against the labels. Figures
    stay until the job is deleted.
    """
    with ground().database.read() as session:
        evaluation = get_evaluation(session, get_job(session, tenant_id(), job_id))
    response = jsonify(evaluation_view(evaluation))
    if evaluation.ended_at is None:
        response.headers["Retry-After"] = str(_LOOK_AGAIN_S)
    return response
