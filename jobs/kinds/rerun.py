"""Every item of a job once more, on another version for the same task; compared with its parent."""

from collections.abc import Sequence

from jobs.base.states import JobKind
from jobs.kinds.kind import Kind
from jobs.tables import Comparison, Job, Table


class _Rerun(Kind):
    word = JobKind.RERUN

    def rows(self, job: Job) -> Sequence[Table]:
        """Give the comparison, which is due when both jobs are over."""
        return [compared_with_parent(job)]


def compared_with_parent(job: Job) -> Comparison:
    """Give the comparison that a job is stored with, due when it and its parent are over."""
    return Comparison(job_id=job.id, parent_id=job.parent_id, created_at=job.created_at)


RERUN = _Rerun()
