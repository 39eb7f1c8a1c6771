"""The list of jobs: filtered, a page at a time, live, and many of them changed at once."""

from collections.abc import Callable

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from pydantic import Field, field_validator

from api.current import ground, tenant_id
from api.page.blueprint import page_blueprint
from api.page.forms import read_form, takes_form
from api.page.rows import JobRow, is_job_id, job_row
from api.web.parsing import validated
from api.web.schemas import JobId, Strict
from jobs.aftercare.deletion import delete_job
from jobs.base.errors import Conflict, NotFound
from jobs.base.states import JobStatus, Outcome
from jobs.intake.children import retry_of
from jobs.intake.submission import submit
from jobs.queue.completion import cancel
from jobs.queue.reading import get_job, list_jobs
from jobs.versions.names import stored_name

job_list = page_blueprint("jobs")

_ON_A_PAGE = 25


class Asked(Strict):
    """Which jobs the address asks for; what is left empty asks for nothing."""

    status: JobStatus | None = None
    outcome: Outcome | None = None
    model: str | None = Field(None, max_length=320)
    text: str | None = Field(None, max_length=200)
    after: JobId | None = None

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return (value.strip() or None) if isinstance(value, str) else value


@job_list.get("/jobs")
def show_jobs() -> ResponseReturnValue:
    """Show a page of the tenant's jobs, newest first."""
    asked = _asked()
    if asked.text is not None and is_job_id(asked.text):
        return redirect(url_for("page_job.show_job", job_id=asked.text), 303)
    with ground().database.read() as session:
        found = list_jobs(
            session,
            tenant_id(),
            after=asked.after,
            limit=_ON_A_PAGE + 1,
            status=asked.status,
            outcome=asked.outcome,
            model=None if asked.model is None else stored_name(asked.model, tenant_id()),
            in_metadata=asked.text,
        )
        rows = [job_row(session, job) for job in found[:_ON_A_PAGE]]
    has_more = len(found) > _ON_A_PAGE
    return render_template(
        "jobs/list.html",
        rows=rows,
        asked=asked,
        statuses=list(JobStatus),
        outcomes=list(Outcome),
        is_filtered=any((asked.status, asked.outcome, asked.model, asked.text)),
        first_page=_address(asked, None),
        next_page=_address(asked, rows[-1].view.id) if has_more else None,
        live_address=_live_address(rows, rows[0].view.id if rows and not asked.after else None),
    )


@job_list.get("/jobs/live")
def show_live() -> ResponseReturnValue:
    """Show anew those jobs of a page that were not over; of the newest one, whether it still is."""
    wanted = [each for each in request.args.getlist("job") if is_job_id(each)][:_ON_A_PAGE]
    newest = next(filter(is_job_id, request.args.getlist("newest")), None)
    rows: list[JobRow] = []
    with ground().database.read() as session:
        for job_id in wanted:
            try:
                rows.append(job_row(session, get_job(session, tenant_id(), job_id)))
            except NotFound:
                continue
        top = list_jobs(session, tenant_id(), after=None, limit=1) if newest else []
    return render_template(
        "jobs/live_rows.html",
        rows=rows,
        is_swap=True,
        live_address=_live_address(rows, newest),
        newer=bool(top and newest and top[0].id > newest),
    )


@job_list.post("/jobs")
@takes_form
def do_to_jobs() -> ResponseReturnValue:
    """Cancel, retry or delete the jobs that were chosen; says how many could not be."""
    form = read_form()
    word = form.get("do", "")
    act, done = _ACTIONS.get(word, (None, ""))
    chosen = list(dict.fromkeys(form.getlist("job")))[:_ON_A_PAGE]
    if act is None or not chosen:
        return redirect(url_for("page_jobs.show_jobs", done="none"), 303)
    left = sum(not _did(act, job_id) for job_id in chosen)
    address = url_for("page_jobs.show_jobs", done=done, n=len(chosen) - left, left=left)
    return redirect(address, 303)


def cancel_one(job_id: str) -> None:
    """Cancel a job of the tenant; raises NotFound and Conflict."""
    cancel(ground().database, tenant_id(), job_id)
    ground().hints.tell_moved(job_id)


def retry_one(job_id: str) -> str:
    """Retry what failed in a job, and give the new job's id; raises NotFound and Conflict."""
    with ground().database.read() as session:
        submission = retry_of(session, get_job(session, tenant_id(), job_id))
    job, _ = submit(ground(), submission, None)
    return job.id


def delete_one(job_id: str) -> None:
    """Delete a job with its results; raises NotFound."""
    delete_job(ground(), tenant_id(), job_id)


_ACTIONS: dict[str, tuple[Callable[[str], object], str]] = {
    "cancel": (cancel_one, "cancelled"),
    "retry": (retry_one, "retried"),
    "delete": (delete_one, "deleted"),
}


def _did(act: Callable[[str], object], job_id: str) -> bool:
    try:
        act(job_id)
    except (Conflict, NotFound):
        return False
    return True


def _asked() -> Asked:
    said = {name: value for name, value in request.args.items() if name in Asked.model_fields}
    return validated(Asked, said)


def _address(asked: Asked, after: str | None) -> str:
    said = {**asked.model_dump(mode="json"), "after": after}
    return url_for("page_jobs.show_jobs", **{k: v for k, v in said.items() if v is not None})


def _live_address(rows: list[JobRow], newest: str | None) -> str | None:
    running = [row.view.id for row in rows if not row.is_over]
    if not running and newest is None:
        return None
    return url_for("page_jobs.show_live", job=running, newest=newest)
