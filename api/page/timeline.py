"""A job's times in order, each with how long it took to get there."""

from collections.abc import Sequence
from typing import NamedTuple

from jobs.base.states import TERMINAL, JobStatus
from jobs.tables import Job

_ENDS = {
    JobStatus.COMPLETED: "Completed",
    JobStatus.FAILED: "Refused",
    JobStatus.CANCELLED: "Cancelled",
    JobStatus.EXPIRED: "Expired",
}


class Moment(NamedTuple):
    """Something that happened, or null that is still to come, and the time since the one before."""

    name: str
    at: float | None
    took_s: float | None


def timeline_of(job: Job, handed_over: Sequence[tuple[str, float]] = ()) -> list[Moment]:
    """Give what happened to a job, and what is still to come.

    `handed_over` is what came of its results after its end, with the time of each.
    """
    told: list[tuple[str, float | None]] = [
        ("Submitted", job.created_at),
        ("Items listed", job.in_progress_at),
        ("First shard begun", job.claimed_at),
    ]
    if job.last_progress_at is not None and job.status not in TERMINAL:
        told.append(("Last results", job.last_progress_at))
    if job.cancelling_at is not None:
        told.append(("Cancel asked for", job.cancelling_at))
    told.append((_ENDS.get(job.status, "Over"), job.ended_at))
    told += handed_over
    # What never came to be is left out once the job is over.
    if job.status in TERMINAL:
        told = [each for each in told if each[1] is not None]
    moments: list[Moment] = []
    before = job.created_at
    for name, at in told:
        moments.append(Moment(name, at, None if at is None or not moments else at - before))
        before = before if at is None else at
    return moments
