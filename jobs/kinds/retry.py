"""The items of a job that failed, were cancelled or expired, once more on the same version."""

from collections.abc import Callable

import numpy as np

from jobs.base.bootstrap import Ground
from jobs.base.states import ItemStatus, JobKind
from jobs.kinds.kind import Kind, Wanted
from jobs.results.rows import read_rows
from jobs.tables import Job, ModelVersion


class _Retry(Kind):
    word = JobKind.RETRY

    def wanted(
        self,
        ground: Ground,
        job: Job,
        parent: Job,
        version: ModelVersion,
        beat: Callable[[], None],
    ) -> Wanted:
        """Want what has no result."""
        del job, version
        wanted = np.zeros(parent.total, bool)
        for _, row in read_rows(ground, parent):
            wanted[row.index] = row.status is not ItemStatus.SUCCEEDED
            beat()
        return wanted


RETRY = _Retry()
