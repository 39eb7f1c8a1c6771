"""A job: where it stands, what failed, its results; and what can be done to it."""

from typing import Any

from flask import Response, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from api.current import ground, tenant_id
from api.jobs.schemas import RerunCreate
from api.jobs.submitting import rerun_of
from api.page.blueprint import page_blueprint
from api.page.drawing import SMALL, WORDS_ALONE, shown
from api.page.forms import read_form, takes_form
from api.page.gallery.wanted import read_wanted, words_of
from api.page.reasons import remedy, setback_of, why_quiet
from api.page.rows import JobRow, job_row
from api.page.timeline import timeline_of
from api.page.views.job_list import cancel_one, delete_one, retry_one
from api.results.forms.table import FORMS
from api.web.parsing import validated
from jobs.aftercare.output_files import results_kept_until
from jobs.base.states import TERMINAL
from jobs.forms.export import task_and_labels
from jobs.intake.submission import submit
from jobs.oversight.open_jobs import silent_holders, why_not_running
from jobs.overview.failures import failures_of
from jobs.overview.pictures import unseen
from jobs.overview.standing import handed_over, standing_of
from jobs.queue.reading import get_job
from jobs.results.rows import Cursor, Page, counted, parse_cursor, read_page
from jobs.results.search import Wanted, find_rows
from jobs.tables import Comparison, Job
from jobs.versions.lists import list_models
from jobs.versions.names import shown_name

job_page = page_blueprint("job")

_ROWS, _PICTURES = 50, 24
# While somebody waits for a page.
_FAILURES_S = _SEARCH_S = 0.15
_MOST_MODELS = 100


def find(job_id: str) -> Job:
    """Give a job of the session's tenant; raises NotFound."""
    with ground().database.read() as session:
        return get_job(session, tenant_id(), job_id)


@job_page.get("/jobs/<job_id>")
def show_job(job_id: str) -> ResponseReturnValue:
    """Show a job; its live part, its failures and its results are fragments of their own."""
    with ground().database.read() as session:
        job = get_job(session, tenant_id(), job_id)
        row = job_row(session, job)
        comparison = session.get(Comparison, job_id)
    task, _ = task_and_labels(ground(), job)
    return render_template(
        "jobs/job.html",
        row=row,
        job=job,
        task=task,
        comparison=comparison,
        results_until=_results_until(job),
        forms=[name for name, form in FORMS.items() if not form.tasks or task in form.tasks],
        **_live_of(job, row),
        **_results_of(job),
    )


@job_page.get("/jobs/<job_id>/live")
def show_live(job_id: str) -> ResponseReturnValue:
    """Show where a job stands now; when it is over, the page is told to look at the rest anew."""
    with ground().database.read() as session:
        job = get_job(session, tenant_id(), job_id)
        row = job_row(session, job)
    task, _ = task_and_labels(ground(), job)
    said = {"row": row, "job": job, "task": task, "unseen": unseen(job), "is_swap": True}
    response = make_response(render_template("jobs/live.html", **said, **_live_of(job, row)))
    if row.is_over:
        response.headers["HX-Trigger"] = "job-over"
    return response


@job_page.get("/jobs/<job_id>/failures")
def show_failures(job_id: str) -> ResponseReturnValue:
    """Show the failed items of a job by their causes."""
    job = find(job_id)
    failures = failures_of(ground(), job, _FAILURES_S)
    return render_template("jobs/failures.html", job=job, failures=failures, remedy=remedy)


@job_page.get("/jobs/<job_id>/results")
def show_results(job_id: str) -> ResponseReturnValue:
    """Show a page of a job's results as a fragment."""
    job = find(job_id)
    return render_template("jobs/results.html", job=job, **_results_of(job))


@job_page.get("/jobs/<job_id>/versions")
def show_versions(job_id: str) -> ResponseReturnValue:
    """Give the versions that the job's items may be run on, as somebody is about to choose one."""
    task, _ = task_and_labels(ground(), find(job_id))
    with ground().database.read() as session:
        found, _ = list_models(session, tenant_id(), after=None, limit=_MOST_MODELS)
    names = [f"{shown_name(each.name)}@{each.version}" for each in found if each.task == task]
    return render_template("jobs/versions.html", names=names)


@job_page.post("/jobs/<job_id>/cancel")
@takes_form
def cancel_job(job_id: str) -> ResponseReturnValue:
    """Cancel the job."""
    read_form()
    cancel_one(job_id)
    return _to(job_id, done="cancelled")


@job_page.post("/jobs/<job_id>/retry")
@takes_form
def retry_job(job_id: str) -> ResponseReturnValue:
    """Run once more what has no result; leads to the new job."""
    read_form()
    return _to(retry_one(job_id), done="submitted")


@job_page.post("/jobs/<job_id>/rerun")
@takes_form
def rerun_job(job_id: str) -> ResponseReturnValue:
    """Run all items on another version; leads to the new job, which is compared with this one."""
    form = read_form()
    body = validated(RerunCreate, {"model": form.get("model", "").strip()})
    job, _ = submit(ground(), rerun_of(find(job_id), body), None)
    return _to(job.id, done="submitted")


@job_page.post("/jobs/<job_id>/delete")
@takes_form
def delete_job(job_id: str) -> ResponseReturnValue:
    """Delete the job with its results."""
    read_form()
    delete_one(job_id)
    return redirect(url_for("page_jobs.show_jobs", done="deleted"), 303)


def _results_until(job: Job) -> float | None:
    """Say until when results are kept; None while there is no saying, or where they are gone."""
    if job.ended_at is None or job.outputs_erased_at is not None:
        return None
    return results_kept_until(job, ground().settings)


def _to(job_id: str, **said: Any) -> Response:
    return make_response(redirect(url_for("page_job.show_job", job_id=job_id, **said), 303))


def _live_of(job: Job, row: JobRow) -> dict[str, Any]:
    standing = why = setback = None
    with ground().database.read() as session:
        later = handed_over(session, job)
    if not row.is_over:
        with ground().database.read() as session:
            standing = standing_of(session, job)
            is_run = standing.running > 0
            why = why_quiet(row, standing) if is_run else why_not_running(session, job)
            setback = setback_of(standing, silent_holders(session, job))
    return {
        "standing": standing,
        "why": why,
        "setback": setback,
        "timeline": timeline_of(job, later),
    }


def _results_of(job: Job) -> dict[str, Any]:
    """Read the page of results that the address asks for: by an exact cursor, as the API does."""
    as_pictures = request.args.get("view") == "pictures"
    wanted = read_wanted(request.args)
    after = request.args.get("after", "")
    page = _page_of(job, wanted, after, _PICTURES if as_pictures else _ROWS)
    detail = SMALL if as_pictures else WORDS_ALONE
    return {
        "items": [shown(row, detail) for row in page.rows],
        "as_pictures": as_pictures,
        "of": wanted.status,
        "is_first": not after,
        "kept": ({"view": "pictures"} if as_pictures else {}) | words_of(wanted),
        "has_findings": job.completed > 0,
        "next_cursor": str(page.last) if page.has_more else None,
        "unseen": unseen(job),
        "is_over": job.status in TERMINAL,
    }


def _page_of(job: Job, wanted: Wanted, after: str, limit: int) -> Page:
    cursor = parse_cursor(after) if after else Cursor()
    # Of a million rows, none would be found slowly.
    is_none = wanted.status is not None and not counted(job, wanted.status)
    if job.outputs_erased_at is not None or is_none:
        return Page([], None, None, has_more=False)
    if wanted.is_anything:
        return read_page(ground(), job, cursor, limit)
    return find_rows(ground(), job, wanted, cursor, limit, _SEARCH_S)
