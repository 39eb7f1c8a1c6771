"""Jobs: submitted, looked at, cancelled, deleted. Also served as OpenAI's /v1/batches."""

from typing import Any

from apiflask import APIBlueprint
from flask import Response
from sqlalchemy.orm import Session

from api.bodies.admission import is_form
from api.current import ground, require_admin, tenant_id
from api.jobs.answers import accepted_after_wait, kind_of_view, rehearsed, shown, view_of
from api.jobs.form import read_form, submission_of_form, submit_form
from api.jobs.schemas import JobCreate, JobForm, JobListQuery
from api.jobs.submitting import idempotency_of, submission_of
from api.jobs.views import DryRun, JobDeleted, JobList, JobView, job_deleted
from api.web.openapi import describe
from api.web.parsing import read_body, read_query
from api.web.views import listed
from api.web.waiting import hold, wanted_wait
from jobs.aftercare.deletion import delete_job
from jobs.intake.submission import find_earlier, submit
from jobs.queue.completion import cancel
from jobs.queue.reading import list_jobs
from jobs.tenants.keys import find_tenant, names_of_tenants
from jobs.versions.names import stored_name

jobs = APIBlueprint("jobs", __name__, tag="Jobs")


@jobs.post("")
@describe(
    jobs,
    {202: JobView, 200: DryRun},
    problems=(400, 404, 409, 413, 415, 422),
    body={"application/json": JobCreate, "multipart/form-data": JobForm},
    headers=("Idempotency-Key", "Prefer", "Cancel-After"),
)
def create_job() -> Response:
    """Submit a job: one model, one set of parameters, up to millions of images.

    202 means that the job is stored and will be run; any other answer means that nothing was
    stored. With `dry_run` everything is checked, nothing stored, and the answer is 200.
    """
    if is_form():
        form = read_form()
        if form.options.dry_run:
            return rehearsed(submission_of_form(form))
        job, is_new = submit_form(form)
        return accepted_after_wait(job, is_new=is_new)
    body, plain = read_body(JobCreate)
    idempotency = idempotency_of(plain)
    if (earlier := find_earlier(ground(), tenant_id(), idempotency)) is not None:
        return accepted_after_wait(earlier, is_new=False)
    submission = submission_of(body)
    if body.dry_run:
        return rehearsed(submission)
    job, is_new = submit(ground(), submission, idempotency)
    return accepted_after_wait(job, is_new=is_new)


@jobs.get("")
@describe(jobs, {200: JobList}, problems=(403, 404, 422), query=JobListQuery)
def get_jobs() -> dict[str, Any]:
    """List jobs, newest first unless `order` says otherwise.

    They are those of the key's tenant; an operator's key can name another one as `tenant`, or `*`
    for all, and sees these lists of them and nothing else. With `idempotency_key`, the list has the
    one that was submitted under it: an empty one says that it was not.
    """
    query = read_query(JobListQuery)
    with ground().database.read() as session:
        found = list_jobs(
            session,
            _tenant_to_list(session, query.tenant),
            after=query.after,
            limit=query.limit + 1,
            status=query.status,
            model=None if query.model is None else stored_name(query.model, tenant_id()),
            idempotency_key=query.idempotency_key,
            watch=query.watch,
            in_metadata=query.text,
            oldest_first=query.order == "asc",
        )
        views = [view_of(session, job) for job in found[: query.limit]]
        if query.tenant is not None:
            names = names_of_tenants(session, {job.tenant_id for job in found})
            for job, view in zip(found, views, strict=False):
                view.tenant = names[job.tenant_id]
    return listed(views, len(found) > query.limit)


def _tenant_to_list(session: Session, name: str | None) -> str | None:
    if name is None:
        return tenant_id()
    require_admin("Listing other tenants' jobs")
    return None if name == "*" else find_tenant(session, name)


@jobs.get("/<job_id>")
@describe(jobs, {200: JobView, 304: None}, problems=(404,), headers=("Prefer", "If-None-Match"))
def get_one_job(job_id: str) -> Response:
    """Show where a job stands; with `Prefer: wait=N`, once it is over or after N seconds."""
    return hold(job_id, wanted_wait(), shown)


@jobs.post("/<job_id>/cancel")
@describe(jobs, {200: JobView}, problems=(404, 409))
def cancel_job(job_id: str) -> Response:
    """Cancel a job: items that are done keep their results, the rest never runs.

    Repeating it is harmless; a job that is over already answers 409.
    """
    job = cancel(ground().database, tenant_id(), job_id)
    ground().hints.tell_moved(job_id)
    return shown(job)


@jobs.delete("/<job_id>")
@describe(jobs, {200: JobDeleted}, problems=(404,))
def delete_one_job(job_id: str) -> dict[str, Any]:
    """Delete a job with its results and everything that it holds; it is cancelled if it runs.

    Uploaded files stay unless the job had `delete_inputs`. Repeating it gives the receipt again:
    `erased_at` is null while something is still to be erased, seconds as a rule.
    """
    job = delete_job(ground(), tenant_id(), job_id)
    ground().hints.tell_moved(job_id)
    return job_deleted(job, kind_of_view())
