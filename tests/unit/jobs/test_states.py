"""The diagrams of jobs.base.states: every arrow that is drawn, and no other."""

from itertools import product

import pytest

from jobs.base.errors import IllegalTransition
from jobs.base.states import (
    TERMINAL,
    ItemStatus,
    JobStatus,
    Outcome,
    check_job_move,
    closing_status,
    outcome_of,
)

ARROWS = {
    ("validating", "in_progress"),
    ("validating", "failed"),
    ("validating", "cancelled"),
    ("validating", "expired"),
    ("in_progress", "completed"),
    ("in_progress", "cancelling"),
    ("in_progress", "expired"),
    ("cancelling", "cancelled"),
}
PAIRS = list(product(JobStatus, JobStatus))


@pytest.mark.parametrize(("old", "new"), [pair for pair in PAIRS if pair in ARROWS])
def test_a_job_may_go_along_every_arrow_of_the_diagram(old, new):
    check_job_move(old, new)


@pytest.mark.parametrize(("old", "new"), [pair for pair in PAIRS if pair not in ARROWS])
def test_a_job_may_go_along_no_other_way(old, new):
    with pytest.raises(IllegalTransition, match=f"{old} to {new}"):
        check_job_move(old, new)


def test_exactly_the_states_without_an_arrow_out_of_them_are_terminal():
    assert set(JobStatus) - {JobStatus(old) for old, _ in ARROWS} == TERMINAL


@pytest.mark.parametrize(
    ("total", "failed", "outcome"),
    [
        (1, 0, Outcome.SUCCEEDED),
        (3, 1, Outcome.PARTIAL),
        (3, 3, Outcome.FAILED),
        (1, 1, Outcome.FAILED),
    ],
)
def test_a_job_is_partial_only_between_all_and_nothing(total, failed, outcome):
    assert outcome_of(total, failed) is outcome


@pytest.mark.parametrize(
    ("status", "ending", "closes"),
    [
        ("in_progress", None, "completed"),
        ("in_progress", "expired", "expired"),
        ("cancelling", "cancelled", "cancelled"),
        ("cancelling", "expired", "cancelled"),
    ],
)
def test_a_job_that_is_ended_early_does_not_close_as_completed(status, ending, closes):
    ended = ItemStatus(ending) if ending else None
    assert closing_status(JobStatus(status), ended) is JobStatus(closes)


def test_how_a_job_closes_is_always_a_way_that_it_may_go():
    for status in (JobStatus.IN_PROGRESS, JobStatus.CANCELLING):
        endings = [ItemStatus.CANCELLED] if status is JobStatus.CANCELLING else [None, "expired"]
        for ending in endings:
            check_job_move(status, closing_status(status, ending and ItemStatus(ending)))
