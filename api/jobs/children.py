"""A job's items once more: rerun on another version and compared, or retried."""

from dataclasses import replace
from typing import Any

from apiflask import APIBlueprint
from flask import Response

from api.current import ground, tenant_id
from api.jobs.answers import accepted_once
from api.jobs.schemas import RerunCreate
from api.jobs.submitting import idempotency_of, rerun_of
from api.jobs.views import JobView
from api.results.comparisons import ChangePage, ComparisonView, change_page, comparison_view
from api.results.reports import reported
from api.results.schemas import ChangesQuery
from api.web.deadlines import seconds_to_run
from api.web.openapi import describe
from api.web.parsing import read_body, read_query
from jobs.aftercare.comparison import get_comparison, read_changes
from jobs.intake.children import retry_of
from jobs.intake.submission import submit
from jobs.queue.reading import get_job
from jobs.tables import Comparison, Job

children = APIBlueprint("children", __name__, tag="Reruns and retries")


@children.post("/<job_id>/rerun")
@describe(
    children,
    {202: JobView},
    problems=(400, 404, 409, 413, 415, 422),
    body={"application/json": RerunCreate},
    headers=("Idempotency-Key", "Prefer", "Cancel-After"),
)
def rerun_job(job_id: str) -> Response:
    """Run a job's items on another version of its model, or on another model for the same task.

    202 with a job of its own, `kind` rerun. When both are over they are compared: see
    `GET …/comparison` of the new job. 409 when the inputs are gone.
    """
    body, plain = read_body(RerunCreate)
    idempotency = idempotency_of(plain)
    return accepted_once(
        idempotency, lambda: submit(ground(), rerun_of(_find(job_id), body), idempotency)
    )


@children.post("/<job_id>/retry")
@describe(
    children,
    {202: JobView},
    problems=(404, 409, 422),
    headers=("Idempotency-Key", "Prefer", "Cancel-After"),
)
def retry_job(job_id: str) -> Response:
    """Run those items of a job once more that failed, were cancelled or expired.

    202 with a job of its own, `kind` retry: same version, parameters and options. Its items keep
    their `custom_id`; their `index` counts anew. 409 while the job is not over, when there is
    nothing to retry, and when the inputs are gone.
    """
    idempotency = idempotency_of()

    def submit_retry() -> tuple[Job, bool]:
        with ground().database.read() as session:
            submission = retry_of(session, get_job(session, tenant_id(), job_id))
        window_s = seconds_to_run(None, submission.completion_window_s)
        return submit(ground(), replace(submission, completion_window_s=window_s), idempotency)

    return accepted_once(idempotency, submit_retry)


@children.get("/<job_id>/comparison")
@describe(children, {200: ComparisonView}, problems=(404,))
def get_one_comparison(job_id: str) -> Response:
    """Show how a rerun's answers differ from those of the job whose items it ran.

    `status` is waiting until both jobs are over and were compared.
    """
    comparison = _find_comparison(job_id)
    return reported(comparison_view(comparison).model_dump(mode="json"), comparison)


@children.get("/<job_id>/comparison/changes")
@describe(children, {200: ChangePage}, problems=(404, 422), query=ChangesQuery)
def get_changes(job_id: str) -> dict[str, Any]:
    """Read the items that the two versions answer differently, with both answers."""
    query = read_query(ChangesQuery)
    rows = read_changes(ground(), _find_comparison(job_id), query.after, query.limit + 1)
    return change_page(rows[: query.limit], query.after, len(rows) > query.limit)


def _find(job_id: str) -> Job:
    with ground().database.read() as session:
        return get_job(session, tenant_id(), job_id)


def _find_comparison(job_id: str) -> Comparison:
    with ground().database.read() as session:
        return get_comparison(session, get_job(session, tenant_id(), job_id))
