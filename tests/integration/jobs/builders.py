"""Rows and jobs with defaults, for tests about the ground floor."""

from typing import Any

from jobs.bootstrap import Ground
from jobs.completion import Tally, commit
from jobs.requests import Request
from jobs.scheduling import Lease, claim
from jobs.segments import Row, write_segment
from jobs.states import ItemStatus
from jobs.storage import segment_name
from jobs.submission import Submission, submit
from jobs.tables import Job, ModelVersion
from jobs.tenants import NewKey


def submit_items(
    ground: Ground, tenant: NewKey, model: ModelVersion, count: int = 1, **more: Any
) -> Job:
    """Submit a job of `count` inline items, ten bytes each."""
    requests = tuple(Request(f"item-{index}", data=b"0123456789") for index in range(count))
    submission = Submission(
        tenant_id=tenant.tenant_id,
        model=model,
        requested={"model": model.name, "params": {}},
        **{"params": {}, "pool": "cpu", "requests": requests, **more},
    )
    return submit(ground, submission)[0]


def claim_one(ground: Ground, owner: str = "node-1", lease_s: float = 30) -> Lease:
    lease = claim(ground.database, "cpu", owner, lease_s)
    assert lease is not None
    return lease


def rows_of(lease: Lease, status: ItemStatus = ItemStatus.SUCCEEDED) -> list[Row]:
    return [
        Row(index, f"item-{index}", status, attempts=lease.attempt, predictions=[])
        for index in range(lease.first, lease.first + lease.count)
    ]


def run_one(ground: Ground, lease: Lease, status: ItemStatus = ItemStatus.SUCCEEDED) -> bool:
    """Write a shard's segment and commit it, as a worker does."""
    name = segment_name(lease.job_id, lease.first, lease.attempt)
    write_segment(ground.storage, name, rows_of(lease, status))
    tally = {
        ItemStatus.SUCCEEDED: Tally(succeeded=lease.count),
        ItemStatus.ERRORED: Tally(errored=lease.count),
        ItemStatus.CANCELLED: Tally(cancelled=lease.count),
        ItemStatus.EXPIRED: Tally(expired=lease.count),
    }[status]
    return commit(ground.database, lease, name, tally, device_s=0.01 * lease.count)
