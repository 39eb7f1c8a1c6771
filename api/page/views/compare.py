"""What changed between a job and its rerun: the figures, and the items that differ."""

from flask import render_template, request
from flask.typing import ResponseReturnValue

from api.current import ground
from api.page.blueprint import page_blueprint
from api.page.views.job import find
from api.results.comparisons import comparison_view
from api.results.schemas import ChangesQuery
from api.web.parsing import validated
from jobs.aftercare.comparison import get_comparison, read_changes

compare = page_blueprint("compare")

_ON_A_PAGE = 50


@compare.get("/jobs/<job_id>/comparison")
def show_comparison(job_id: str) -> ResponseReturnValue:
    """Show how a rerun's answers differ from those of the job whose items it ran."""
    query = validated(ChangesQuery, {"after": request.args.get("after", 0), "limit": _ON_A_PAGE})
    job = find(job_id)
    with ground().database.read() as session:
        comparison = get_comparison(session, job)
    changes = []
    if comparison.changes is not None:
        changes = read_changes(ground(), comparison, query.after, _ON_A_PAGE + 1)
    return render_template(
        "jobs/comparison.html",
        job=job,
        view=comparison_view(comparison),
        changes=changes[:_ON_A_PAGE],
        after=query.after,
        next_after=query.after + _ON_A_PAGE if len(changes) > _ON_A_PAGE else None,
    )
