"""Evaluations: a version held against labelled items of its caller's own."""

from apiflask import APIBlueprint
from flask import Response

from api.current import ground, tenant_id
from api.jobs.answers import accepted_once
from api.jobs.schemas import EvaluationCreate
from api.jobs.submitting import evaluation_of, idempotency_of
from api.jobs.views import JobView
from api.results.evaluations import EvaluationView, evaluation_view
from api.results.reports import reported
from api.web.openapi import describe
from api.web.parsing import read_body
from jobs.aftercare.evaluation import get_evaluation
from jobs.intake.evaluations import submit_evaluation
from jobs.queue.reading import get_job

evaluations = APIBlueprint("evaluations", __name__, url_prefix="/v1/evaluations", tag="Evaluations")
# What came of them stands beside their jobs' results.
job_evaluations = APIBlueprint("job_evaluations", __name__, tag="Evaluations")


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
    truth = body.truth_file_id
    return accepted_once(
        idempotency, lambda: submit_evaluation(ground(), evaluation_of(body), truth, idempotency)
    )


@job_evaluations.get("/<job_id>/evaluation")
@describe(job_evaluations, {200: EvaluationView}, problems=(404,))
def get_one_evaluation(job_id: str) -> Response:
    """Show how good a version is on labelled items.

    `status` is waiting until the job is over and its answers were held against the labels. Figures
    stay until the job is deleted.
    """
    with ground().database.read() as session:
        evaluation = get_evaluation(session, get_job(session, tenant_id(), job_id))
    return reported(evaluation_view(evaluation), evaluation)
