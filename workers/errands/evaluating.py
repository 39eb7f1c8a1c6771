"""Holds a job's answers against what is true of its items, and writes the report: an errand.

Figures are of the items that were answered. What was not, whatever the reason, is counted apart and
named: a version that fails at the hard pictures is not better for it.
"""

import json
from typing import Any

import structlog

from jobs.aftercare.comparison import RESULTS_GONE
from jobs.aftercare.evaluation import (
    EVALUATIONS,
    Evaluating,
    answers_and_truths,
    end_evaluation,
    evaluating,
)
from jobs.base.bootstrap import Ground
from jobs.base.states import JobStatus
from jobs.base.storage import BlobMissing
from jobs.leases.leases import Lease
from jobs.leases.working import work_on_next
from jobs.results.segments import Row
from jobs.tables import Evaluation
from models.answers.scores.by_task import SCORES, Scores
from models.records.errors import TruthError

log = structlog.get_logger(__name__)

# Items without an answer that are named; all are counted.
_MOST_NAMED = 100


class Sheet:
    """What was counted of an evaluation so far."""

    def __init__(self, scores: Scores) -> None:
        self.scores = scores
        self.items = 0
        self.failed = 0
        # The first of those that failed.
        self.unanswered: list[dict[str, Any]] = []

    def add(self, row: Row, truth: str) -> None:
        """Count one item; `truth` is JSON."""
        self.items += 1
        if row.predictions is None:
            code = row.error.code if row.error else row.status.value
            self._note(row, code, row.error.message if row.error else "It did not run.")
            return
        try:
            self.scores.add(json.loads(truth), row.predictions, (row.height, row.width))
        except TruthError as err:
            self._note(row, err.code, f"It is not measured: {err}.")

    def report(self) -> dict[str, Any]:
        """Give all that is told of the evaluation, but for names of items."""
        return {
            **self._counts(),
            "measure": self.scores.measure,
            "figures": self.scores.figures(),
            "per_class": self.scores.per_class(),
            "confusion": self.scores.confusion(),
        }

    def summary(self) -> dict[str, Any]:
        """Give what stands beside the version."""
        name = self.scores.headline
        return {**self._counts(), "figure": name, "value": self.scores.figures()[name]}

    def _counts(self) -> dict[str, int]:
        return {
            "items": self.items,
            "evaluated": self.items - self.failed,
            "failed": self.failed,
        }

    def _note(self, row: Row, code: str, message: str) -> None:
        self.failed += 1
        if len(self.unanswered) < _MOST_NAMED:
            named = {"index": row.index, "custom_id": row.custom_id}
            self.unanswered.append({**named, "code": code, "message": message})


def evaluate_next(ground: Ground) -> bool:
    """Compute the evaluation that has waited for longest; False when none waits.

    Raises StorageError when the store is away: the evaluation is tried again after a pause.
    """

    def evaluate(lease: Lease[Evaluation]) -> None:
        at = evaluating(ground, lease)
        failure = _why_not(ground, at) or _evaluate(ground, at)
        if failure is not None:
            end_evaluation(ground, lease, None, failure=failure)
        log.info("evaluation_ended", job=at.job.id, failure=failure)

    return work_on_next(ground, EVALUATIONS, evaluate) is not None


def _why_not(ground: Ground, at: Evaluating) -> str | None:
    job = at.job
    if job.status is JobStatus.FAILED:
        return f"The job could not be run: {job.status_reason}"
    if job.status is not JobStatus.COMPLETED:
        return f"The job {_ENDS[job.status]} before all of its items had run; evaluate again."
    if at.lease.is_used_up(ground.settings):
        return at.lease.of.used_up
    return None


_ENDS = {JobStatus.CANCELLED: "was cancelled", JobStatus.EXPIRED: "expired"}


def _evaluate(ground: Ground, at: Evaluating) -> str | None:
    """Compute and end an evaluation; gives the reason where there can be none."""
    sheet = Sheet(SCORES[at.version.task](at.version.labels))
    try:
        for row, truth in answers_and_truths(ground, at):
            sheet.add(row, truth)
    except BlobMissing:
        return RESULTS_GONE
    end_evaluation(ground, at.lease, sheet.report(), sheet.summary(), sheet.unanswered)
    return None
