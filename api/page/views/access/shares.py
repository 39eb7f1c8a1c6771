"""Links that show one job: made and taken back on its page, and what whoever has one is shown.

The link is read before a view is called (api.web.auth); every view shows its own job alone.
"""

from flask import Response, g, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from api.current import actor, buckets, ground
from api.jobs.shares import ShareCreate, share_view
from api.page.blueprint import page_blueprint
from api.page.drawing import WORDS_ALONE, shown
from api.page.forms import read_form, takes_form
from api.page.linked import linked
from api.page.rows import job_row
from api.page.timeline import timeline_of
from api.page.views.items import send_picture
from api.page.views.job import find
from api.results.forms.table import FORMS
from api.results.routes import send_results
from api.web.parsing import validated
from jobs.base.errors import BeingMade, Conflict, InvalidRequest, NotFound
from jobs.base.states import ItemStatus
from jobs.forms.export import task_and_labels
from jobs.overview.failures import failures_of
from jobs.overview.pictures import unseen
from jobs.results.rows import Cursor, Page, parse_cursor, read_page
from jobs.results.segments import Row
from jobs.tables import Job
from jobs.tenants.shares import create_share, list_shares, revoke_share

shares = page_blueprint("shares")
shared = page_blueprint("shared")

_DAYS = ("1", "7", "30")
_ROWS = 50
_FAILURES_S = 0.15


@shares.get("/jobs/<job_id>/shares")
def show_shares(job_id: str) -> ResponseReturnValue:
    """Show the links that show a job, as a fragment."""
    find(job_id)
    with ground().database.read() as session:
        views = [share_view(session, row) for row in list_shares(session, job_id)]
    return render_template(
        "shared/links.html", job_id=job_id, links=[each for each in views if each.url], days=_DAYS
    )


@shares.post("/jobs/<job_id>/shares")
@takes_form
def share(job_id: str) -> ResponseReturnValue:
    """Make a link that shows the job for some days."""
    days = read_form().get("days", "")
    find(job_id)
    if days not in _DAYS:
        raise InvalidRequest(f"A link lasts {', '.join(_DAYS)} days.", param="days")
    body = validated(ShareCreate, {"expires_in": int(days) * 86_400})
    create_share(ground().database, actor(), job_id, body.expires_in)
    return _to(job_id, "shared")


@shares.post("/jobs/<job_id>/shares/<share_id>/revoke")
@takes_form
def revoke(job_id: str, share_id: str) -> ResponseReturnValue:
    """Take a link back."""
    read_form()
    find(job_id)
    revoke_share(ground().database, actor(), job_id, share_id)
    return _to(job_id, "removed")


@shared.after_request
def _keep_private(response: Response) -> Response:
    # The address is all that it takes: it goes to no other site, and into no search engine.
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex, nofollow, noarchive"
    return response


@shared.get("/shared/<token>")
def show_shared(token: str) -> ResponseReturnValue:
    """Show the job of a link: where it stands, its failures, its results."""
    job = _opened()
    task, _ = task_and_labels(ground(), job)
    with ground().database.read() as session:
        row = job_row(session, job)
    return render_template(
        "shared/job.html",
        token=token,
        link=g.share,
        job=job,
        row=row,
        task=task,
        timeline=timeline_of(job),
        failures=failures_of(ground(), job, _FAILURES_S, linked),
        unseen=unseen(job),
        forms=[name for name, form in FORMS.items() if not form.tasks or task in form.tasks],
        **_results_of(job),
    )


@shared.get("/shared/<token>/live")
def show_shared_live(token: str) -> ResponseReturnValue:
    """Show where the job of a link stands now."""
    job = _opened()
    with ground().database.read() as session:
        row = job_row(session, job)
    return render_template(
        "shared/live.html", token=token, job=job, row=row, timeline=timeline_of(job)
    )


@shared.get("/shared/<token>/results")
def download_shared(token: str) -> Response:
    """Send the results of a link's job, in any of their forms."""
    del token
    return send_results(_opened().id, linked)


@shared.get("/shared/<token>/items/<index>/picture")
def show_shared_picture(token: str, index: str) -> Response:
    """Send the picture of an item of a link's job."""
    del token
    job = _opened()
    try:
        return send_picture(ground(), buckets(), job, index)
    except BeingMade:
        raise
    except (Conflict, NotFound) as err:
        # The reason would name the bucket, the key or the connection.
        raise NotFound("This picture cannot be shown.") from err


def _opened() -> Job:
    """Give the job of the request's link; raises NotFound when it was deleted."""
    return find(g.share.job_id)


def _results_of(job: Job) -> dict[str, object]:
    after = request.args.get("after", "")
    page = Page([], None, None, has_more=False)
    if job.outputs_erased_at is None:
        page = read_page(ground(), job, parse_cursor(after) if after else Cursor(), _ROWS, None)
    return {
        "items": [shown(linked(row), WORDS_ALONE) for row in page.rows],
        # Of what lies at an address, or could not be decoded, there is none.
        "pictured": {row.index for row in page.rows if _has_picture(job, row)},
        "after": after,
        "next_cursor": str(page.last) if page.has_more else None,
    }


def _has_picture(job: Job, row: Row) -> bool:
    is_opened = row.input_url is None and not job.delete_inputs
    return row.status is ItemStatus.SUCCEEDED and (job.gallery or is_opened)


def _to(job_id: str, done: str) -> Response:
    return make_response(redirect(url_for("page_job.show_job", job_id=job_id, done=done), 303))
