"""What a job's answers come to, as a fragment of its page."""

from flask import render_template
from flask.typing import ResponseReturnValue

from api.current import ground
from api.page.blueprint import page_blueprint
from api.page.gallery.bars import distribution_of, stages_of
from api.page.views.job import find
from jobs.base.states import TERMINAL
from jobs.results.summaries import Summary, summary_of

answers = page_blueprint("answers")

# While somebody waits for a page.
_SUMMARY_S = 0.12


@answers.get("/jobs/<job_id>/summary")
def show_summary(job_id: str) -> ResponseReturnValue:
    """Show how often each class was found and how surely; asks for itself until all is counted."""
    job = find(job_id)
    summary, is_whole = Summary(), True
    if job.outputs_erased_at is None:
        summary, is_whole = summary_of(ground(), job, _SUMMARY_S)
    shown = distribution_of(summary, is_whole)
    is_over = job.status in TERMINAL
    return render_template(
        "gallery/summary.html", job=job, shown=shown, stages=stages_of(summary), is_over=is_over
    )
