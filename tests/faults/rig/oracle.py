"""The oracle: what must be true of every job, whatever was done to the house while it ran.

When a job is over, every index has exactly one row, equal to what a quiet run gives; the counts add
up; and its receiver has heard of exactly one event.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from pixelmill import Job
from tests.e2e.stacks import results_of, wait_for
from tests.faults.rig.houses import House
from tests.faults.rig.pictures import Answer

# Batches differ from run to run, and with them the last digits of a sum.
_TOLERANCE = 1e-3

# A sender that was lost right after its claim leaves the event due again after a minute.
_EVENT_S = 100

# Rows of items that a cancel or the deadline kept from running.
_NOT_RUN = ("cancelled", "expired")


@dataclass(frozen=True)
class Verdict:
    """A job that the oracle has nothing against."""

    job: Job
    rows: list[dict[str, Any]]


def check(
    house: House,
    job: Job,
    expected: list[Answer],
    *,
    status: str | Collection[str] = "completed",
    timeout_s: float = 120,
    hears: bool = True,
) -> Verdict:
    """Wait for a job's end and hold it against what every item must have ended with.

    `status` is the end that it must have, or all that it may have; `hears` is False when its
    receiver cannot hear of it.
    """
    with house.client() as client:
        done = client.wait(job, timeout=timeout_s)
        rows = results_of(client, job.id)
    assert done.status in ([status] if isinstance(status, str) else status), done.raw
    _check_rows(rows, expected, may_not_run=done.status in _NOT_RUN)
    _check_counts(done, rows)
    if hears:
        check_event(house, job, f"job.{done.status}")
    return Verdict(done, rows)


def check_event(house: House, job: Job, kind: str) -> None:
    """Hold that the receiver heard of exactly one event, however often it was sent."""
    wait_for(lambda: house.receiver.events.get(job.id), _EVENT_S, f"the webhook of {job.id}")
    assert len(set(house.receiver.events[job.id])) == 1, kind
    assert len(house.deliveries(job.id)) == 1, kind


def _check_rows(rows: list[dict[str, Any]], expected: list[Answer], *, may_not_run: bool) -> None:
    wanted = range(len(expected))
    seen = Counter(row["index"] for row in rows)
    assert _first(index for index in wanted if index not in seen) == [], "lost"
    assert _first(index for index in seen if index not in wanted) == [], "unexpected"
    assert _first(index for index, times in seen.items() if times > 1) == [], "duplicated"
    wrong = [
        (row, expected[row["index"]])
        for row in rows
        if not _is_right(row, expected[row["index"]], may_not_run=may_not_run)
    ]
    assert wrong[:3] == [], f"{len(wrong)} wrong"


def _is_right(row: dict[str, Any], answer: Answer, *, may_not_run: bool) -> bool:
    if row["status"] in _NOT_RUN:
        return may_not_run
    if row["status"] == "errored":
        return bool(row["error"]["code"] == answer.word)
    (best,) = row["predictions"]
    close = abs(best["confidence"] - answer.confidence) <= _TOLERANCE
    return bool(best["class"] == answer.word) and close


def _check_counts(done: Job, rows: list[dict[str, Any]]) -> None:
    """Hold that the counts add up, and are those of the rows."""
    counts = dict(done.raw["request_counts"])
    statuses = Counter(row["status"] for row in rows)
    assert counts == {
        "total": len(rows),
        "completed": statuses["succeeded"],
        "failed": statuses["errored"],
        "processing": 0,
        "cancelled": statuses["cancelled"],
        "expired": statuses["expired"],
    }


def _first(indexes: Any) -> Collection[int]:
    return sorted(indexes)[:10]
