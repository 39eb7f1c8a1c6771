"""Jobs as pages show them: the API's own view, and what is worked out from it for people."""

import time
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy.orm import Session

from api.jobs.answers import view_of
from api.jobs.views import JobView
from api.page import words
from jobs.base.ids import made_at
from jobs.base.states import TERMINAL, JobStatus
from jobs.tables import Job

# Of a row's metadata; the job's own page has all of it.
_MOST_NOTES = 3
# Metadata that names a job, if it has any of these.
_NAMES = ("name", "title")


class JobRow(NamedTuple):
    """A job for a person: `items_a_s` is null where nothing has run."""

    view: JobView
    title: str
    items_a_s: float | None
    ran_s: float | None
    line: str
    notes: Sequence[tuple[str, str]]

    @property
    def is_over(self) -> bool:
        """Whether nothing changes any more."""
        return self.view.status in TERMINAL


def is_job_id(text: str) -> bool:
    """Say whether a text has the form of a job's id."""
    return text.startswith("job_") and made_at(text) is not None


def job_row(session: Session, job: Job) -> JobRow:
    """Show a job for a person."""
    view = view_of(session, job)
    ran_s = _ran_s(job)
    done = job.completed + job.failed
    named = next((job.metadata_[name] for name in _NAMES if job.metadata_.get(name)), None)
    notes = [(name, value) for name, value in job.metadata_.items() if name not in _NAMES]
    return JobRow(
        view=view,
        title=named or job.id,
        items_a_s=done / ran_s if ran_s and done else None,
        ran_s=ran_s,
        line=_line(view, ran_s),
        notes=notes[:_MOST_NOTES],
    )


def _ran_s(job: Job) -> float | None:
    if job.in_progress_at is None:
        return None
    return max((job.ended_at or time.time()) - job.in_progress_at, 0.001)


def _line(view: JobView, ran_s: float | None) -> str:
    """Say in a line where a job stands."""
    counts, queue = view.request_counts, view.queue
    if view.status is JobStatus.VALIDATING:
        return "its items are being listed"
    done = f"{words.number(counts.completed + counts.failed)} of {words.number(counts.total)}"
    if view.status in TERMINAL:
        return f"{done} in {words.duration(ran_s)}" if ran_s is not None else done
    if queue.eta_seconds is not None:
        left = words.duration(queue.eta_seconds) if queue.eta_seconds else "under a second"
        return f"{done} · {left} left"
    if queue.position:
        return f"{done} · {queue.position} before it"
    return done
