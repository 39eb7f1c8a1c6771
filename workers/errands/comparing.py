"""Compares what two versions made of the same items, and writes the report: an io worker's errand.

What both could run is held against each other by the task's measure
(models.answers.agreement). What one of them could not run is counted apart. What was cancelled,
expired or erased before it ran says nothing of a version, nor does a URL that gave another image
the second time: these are left out.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from jobs.aftercare.comparison import (
    COMPARISONS,
    RESULTS_GONE,
    Change,
    Comparing,
    comparing,
    end_comparison,
    pairs,
    writing_changes,
)
from jobs.base.bootstrap import Ground
from jobs.base.states import ItemStatus, JobStatus
from jobs.base.storage import BlobMissing, changes_name
from jobs.kinds.table import kind_of
from jobs.leases.leases import Lease, LeaseLost
from jobs.leases.working import work_on_next
from jobs.queue.completion import discard
from jobs.results.segments import Row
from jobs.tables import Comparison, Job
from jobs.versions.names import shown_name
from jobs.versions.registry import read_version
from models.answers.agreement import Measure, first_class, measure_of

log = structlog.get_logger(__name__)

# Pairs of classes that a report lists, the most frequent; a thousand classes have a million pairs.
_MOST_PAIRS = 1000
Predictions = list[dict[str, Any]]

_NEVER_RAN = (ItemStatus.CANCELLED, ItemStatus.EXPIRED)


@dataclass(slots=True)
class Tally:
    """What was counted of the pairs so far."""

    measure: Measure
    with_classes: bool
    # Whether any answer of the one could be the same as one of the other.
    can_agree: bool = True
    total: int = 0
    compared: int = 0
    same: int = 0
    similarity: float = 0.0
    errored_both: int = 0
    errored_before: int = 0
    errored_after: int = 0
    left_out: int = 0
    confusion: Counter[tuple[str | None, str | None]] = field(default_factory=Counter)

    def add(self, before: Row, after: Row) -> Change | None:
        """Count one item; gives it as a change if the versions do not answer alike."""
        self.total += 1
        if _says_nothing(before) or _says_nothing(after) or _had_other_inputs(before, after):
            self.left_out += 1
            return None
        one, other = before.predictions, after.predictions
        if one is not None and other is not None:
            return self._add_answers(Change(before, after, None), one, other)
        if one is None and other is None:
            self.errored_both += 1
            return None
        self.errored_before += one is None
        self.errored_after += other is None
        return Change(before, after, None)

    def _add_answers(self, change: Change, one: Predictions, other: Predictions) -> Change | None:
        similarity = self.measure.similarity(one, other)
        self.compared += 1
        self.similarity += similarity
        if self.with_classes:
            self.confusion[first_class(one), first_class(other)] += 1
        if similarity >= self.measure.same_from:
            self.same += 1
            return None
        return replace(change, similarity=similarity)


def compare_next(ground: Ground) -> bool:
    """Compute the comparison that has waited for longest; False when none waits.

    Raises StorageError when the store is away: the comparison is then tried again after a pause.
    """

    def compare(lease: Lease[Comparison]) -> None:
        at = comparing(ground, lease)
        tally = _compare_or_refuse(ground, at)
        bound = log.bind(job=at.after.id, parent=at.before.id, kind=at.after.kind)
        bound.info("comparison_ended", items=tally.total if tally else None)

    return work_on_next(ground, COMPARISONS, compare) is not None


def _compare_or_refuse(ground: Ground, at: Comparing) -> Tally | None:
    """Compute and end a comparison; gives None when there was nothing to compare."""
    failure = _why_not(ground, at)
    if failure is None:
        try:
            return _compare(ground, at)
        except BlobMissing:
            failure = RESULTS_GONE
    _end(ground, at, None, None, failure)
    return None


def _why_not(ground: Ground, at: Comparing) -> str | None:
    after = at.after
    if after.status is JobStatus.FAILED:
        return f"The job could not be run: {after.status_reason}"
    if (why := kind_of(after).why_not_compared(after)) is not None:
        return why
    if at.lease.is_used_up(ground.settings):
        return at.lease.of.used_up
    if at.before.outputs_erased_at is not None or after.outputs_erased_at is not None:
        return RESULTS_GONE
    return None


def _compare(ground: Ground, at: Comparing) -> Tally:
    measure = measure_of(at.version.task)
    can_agree = not measure.by_class or _know_a_class_in_common(ground, at)
    tally = Tally(measure, with_classes=measure.with_first_class, can_agree=can_agree)
    if kind_of(at.after).is_trial:
        # For figures alone: no answer is kept where its caller does not see it.
        for before, after in pairs(ground, at):
            tally.add(before, after)
        _end(ground, at, tally, None)
        return tally
    name = changes_name(at.after.id)
    with writing_changes(ground.storage, name) as changes:
        for before, after in pairs(ground, at):
            if (change := tally.add(before, after)) is not None:
                changes.add(change)
    try:
        _end(ground, at, tally, name)
    except LeaseLost:
        ground.storage.delete([name])
        raise
    return tally


def _know_a_class_in_common(ground: Ground, at: Comparing) -> bool:
    job = at.after
    with ground.database.read() as session:
        after = read_version(session, job.model_name, job.model_version).labels
    return not set(at.version.labels).isdisjoint(after)


def _end(
    ground: Ground,
    at: Comparing,
    tally: Tally | None,
    changes: str | None,
    failure: str | None = None,
) -> None:
    report = None if tally is None else _report(at, tally)
    with ground.database.write() as session:
        end_comparison(session, at.lease, report, changes, failure)
        kind = kind_of(at.after)
        if tally is not None:
            kind.compared(session, at.after, _figures(at, tally))
        if kind.is_trial:
            # It has done what it was for.
            discard(session, at.after.id)


def _report(at: Comparing, tally: Tally) -> dict[str, Any]:
    listed = tally.confusion.most_common(_MOST_PAIRS)
    errored_one = tally.errored_before + tally.errored_after
    comparable = tally.compared if tally.can_agree else 0
    counts = ("total", "compared", "same", "errored_both", "errored_before", "errored_after")
    return {
        "measure": tally.measure.name,
        "same_from": tally.measure.same_from,
        # Classes are told by name: where no name is known to both, no answer could be the same.
        "agreement": _ratio(tally.same, comparable),
        "similarity": _ratio(tally.similarity, comparable),
        "items": {
            **{name: getattr(tally, name) for name in counts},
            "left_out": tally.left_out,
            "changed": tally.compared - tally.same + errored_one,
        },
        "confusion": [
            {"before": before, "after": after, "count": count} for (before, after), count in listed
        ],
        "confusion_left_out": tally.confusion.total() - sum(count for _, count in listed),
        "before": _pace(at.before),
        "after": _pace(at.after),
    }


def _pace(job: Job) -> dict[str, Any]:
    """Say how fast a job ran: its device seconds an item, and what its caller saw."""
    began, ended = job.in_progress_at, job.ended_at
    ran_s = None if began is None or ended is None else ended - began
    ran = job.completed + job.failed
    return {
        "model": f"{shown_name(job.model_name)}@{job.model_version}",
        "device_s_per_item": _ratio(job.device_s, ran),
        "items_per_s": None if not ran_s else ran / ran_s,
        "ran_s": ran_s,
        "waited_s": None if began is None else began - job.created_at,
    }


def _figures(at: Comparing, tally: Tally) -> dict[str, float]:
    """Give what a trial adds to its totals, for the items that both versions ran."""
    names = ("compared", "same", "similarity", "errored_both", "errored_before", "errored_after")
    paces = {"device_before_s": at.before, "device_after_s": at.after}
    seconds = {
        name: (_ratio(job.device_s, job.completed + job.failed) or 0.0) * tally.compared
        for name, job in paces.items()
    }
    return {name: getattr(tally, name) for name in names} | seconds


def _says_nothing(row: Row) -> bool:
    """Say whether an item did not run for a reason that is none of its version's."""
    return row.status in _NEVER_RAN or (row.error is not None and row.error.code == "input_missing")


def _had_other_inputs(before: Row, after: Row) -> bool:
    hashes = {before.input_sha256, after.input_sha256} - {None}
    return len(hashes) > 1


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
