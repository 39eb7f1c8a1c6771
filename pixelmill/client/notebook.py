"""How a job shows itself in a notebook: a bar, its counts, and when it should be over."""

from datetime import timedelta
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pixelmill.client.records import Job

_BAR = (
    '<progress max="{total}" value="{finished}" style="width: 20em; vertical-align: middle">'
    "</progress>"
)


def job_html(job: "Job") -> str:
    """Give a job's HTML; whatever a caller named is escaped."""
    counts = job.request_counts
    lines = [
        f"<b>{escape(job.id)}</b> {escape(str(job.model))}: {escape(job.outcome or job.status)}",
        _BAR.format(total=max(counts.total, 1), finished=counts.finished)
        + f" {counts.finished:,} of {counts.total:,}"
        + (f", {counts.failed:,} failed" if counts.failed else ""),
    ]
    if not job.is_terminal and job.queue.eta_seconds is not None:
        lines.append(f"about {timedelta(seconds=round(job.queue.eta_seconds))} to go")
    if job.status_reason:
        lines.append(escape(job.status_reason))
    return "<br>".join(lines)
