"""Rows and jobs with defaults, for tests about the ground floor."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import update

from jobs.base.bootstrap import Ground
from jobs.base.states import ItemStatus, JobKind
from jobs.base.storage import segment_name
from jobs.inputs.requests import Request
from jobs.intake.preparation import prepare_next
from jobs.intake.submission import Submission, submit
from jobs.queue.commits import Tally, commit
from jobs.queue.scheduling import ShardLease, claim
from jobs.queue.turns import Line
from jobs.results.segments import ItemError, Row, to_json, write_segment
from jobs.results.summaries import summarize, write_summary
from jobs.tables import Job, ModelVersion, Tenant
from jobs.tenants.keys import NewKey
from jobs.versions.registry import register

# Shards of a job of 3200 items: 32 of 100 each.
LARGE = 3200


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


def claim_one(ground: Ground, owner: str = "node-1", lease_s: float = 30) -> ShardLease:
    lease = claim(ground.database, Line("cpu"), owner, lease_s)
    assert lease is not None
    return lease


def rows_of(lease: ShardLease, status: ItemStatus = ItemStatus.SUCCEEDED) -> list[Row]:
    return [
        Row(index, f"item-{index}", status, attempts=lease.fence, predictions_json="[]")
        for index in range(lease.first, lease.first + lease.count)
    ]


def run_one(ground: Ground, lease: ShardLease, status: ItemStatus = ItemStatus.SUCCEEDED) -> bool:
    """Write a shard's segment and commit it, as a worker does."""
    name = segment_name(lease.job_id, lease.first, lease.fence)
    write_segment(ground.storage, name, rows_of(lease, status))
    tally = {
        ItemStatus.SUCCEEDED: Tally(succeeded=lease.count),
        ItemStatus.ERRORED: Tally(errored=lease.count),
        ItemStatus.CANCELLED: Tally(cancelled=lease.count),
        ItemStatus.EXPIRED: Tally(expired=lease.count),
    }[status]
    return commit(ground.database, lease, name, tally, device_s=0.01 * lease.count)


def second_version(ground: Ground, model: ModelVersion, **record: Any) -> ModelVersion:
    """Register another version of a model."""
    changed = {**model.record, **record}
    digest = f"sha256:{len(str(changed)):064x}"
    return register(ground.database, ground.storage, model.name, changed, b"other", digest)


def rerun(ground: Ground, parent: Job, version: ModelVersion) -> Job:
    """Store a rerun of a job, as the API does, and prepare it."""
    submission = Submission(
        tenant_id=parent.tenant_id,
        model=version,
        params={},
        requested={"model": f"{version.name}@{version.version}", "params": {}},
        pool="cpu",
        kind=JobKind.RERUN,
        parent_id=parent.id,
        input_file_id=parent.input_file_id,
    )
    job, _ = submit(ground, submission)
    assert prepare_next(ground) == job.id
    return job


def answer_all(ground: Ground, answer: Callable[[int], Any], device_s: float = 0.01) -> int:
    """Run every shard that waits; `answer` gives an item's predictions, or its ItemError."""
    count = 0
    while (lease := claim(ground.database, Line("cpu"), "node-1", 30)) is not None:
        rows = [_answered(index, answer(index)) for index in range(lease.first, _stop(lease))]
        name = segment_name(lease.job_id, lease.first, lease.fence)
        write_segment(ground.storage, name, rows)
        errored = sum(row.error is not None for row in rows)
        in_short = write_summary(summarize(rows))
        tally = Tally(succeeded=len(rows) - errored, errored=errored, summary=in_short)
        assert commit(ground.database, lease, name, tally, device_s * lease.count)
        count += 1
    return count


def _stop(lease: ShardLease) -> int:
    return lease.first + lease.count


def _answered(index: int, answer: Any) -> Row:
    if isinstance(answer, ItemError):
        return Row(index, f"item-{index}", ItemStatus.ERRORED, None, 1, None, answer)
    return Row(index, f"item-{index}", ItemStatus.SUCCEEDED, None, 1, to_json(answer))


def serve(ground: Ground, seconds: float = 1.0) -> str:
    """Claim the next shard and commit it as having used so much of the device; gives its job."""
    lease = claim_one(ground)
    name = segment_name(lease.job_id, lease.first, lease.fence)
    tally = Tally(succeeded=lease.count)
    assert commit(ground.database, lease, name, tally, device_s=seconds)
    return lease.job_id


def tenant_share(ground: Ground, tenant: NewKey) -> float:
    with ground.database.read() as session:
        return session.get_one(Tenant, tenant.tenant_id).share


def set_share(ground: Ground, table: type, row_id: str, share: float) -> None:
    """Let a job or a tenant have had so much."""
    with ground.database.write() as session:
        session.execute(update(table).where(table.id == row_id).values(share=share))
