"""Why a job does not run is said in words, what an operator can do something about first."""

from typing import Any

import pytest

from jobs.base.states import JobStatus
from jobs.oversight.explaining import Facts, explain


def facts(**more: Any) -> Facts:
    given: dict[str, Any] = {
        "status": JobStatus.IN_PROGRESS, "is_ending": False, "pool": "cpu", "pending": 3,
        "workers": 2, "io_workers": 1, "before": 0,
    }  # fmt: skip
    return Facts(**given | more)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"status": JobStatus.VALIDATING, "is_prepared": True}, "An io worker lists its items"),
        ({"status": JobStatus.VALIDATING, "io_workers": 0}, "no io worker lives"),
        ({"status": JobStatus.VALIDATING}, "waits for an io worker"),
        ({"held": {"a/cpu0": 1, "b/cpu0": 1}}, "It runs: 2 shards on a/cpu0, b/cpu0"),
        ({"held": {"a/cpu0": 1}, "is_ending": True}, "being ended; left are 1 shard on a/cpu0"),
        ({"is_ending": True}, "the sweeper closes it"),
        ({"pending": 0}, "about to close"),
        ({"workers": 0, "pool": "gpu"}, "No worker of pool gpu lives; start one"),
        ({"workers": 1, "drained": 1}, "The only worker of pool cpu is drained"),
        ({"workers": 2, "drained": 2}, "All 2 workers of pool cpu are drained"),
        ({"silent_s": 7.2}, "The latest of the workers of pool cpu was last heard of 7 s ago"),
        ({"silent_s": 8.0, "workers": 1}, "The only worker of pool cpu was last heard of 8 s ago"),
        ({"silent_s": 4.5}, "among the next in line"),
        ({"rests_s": 40.2}, "tried again in 40 s"),
        ({"before": 7}, "7 jobs are served before it"),
        ({}, "among the next in line"),
    ],
)
def test_the_reason_is_said(more: dict[str, Any], said: str) -> None:
    assert said in explain(facts(**more))


def test_a_missing_worker_is_told_before_anything_that_is_no_fault() -> None:
    assert "No worker" in explain(facts(workers=0, before=7, rests_s=3.0))
