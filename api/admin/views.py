"""How what an operator sees is shown."""

from api.admin.schemas import HeldShardView, OpenJobView, TenantNowView, WorkerView
from jobs.oversight.crew import Worker
from jobs.oversight.open_jobs import OpenJob
from jobs.oversight.using import TenantNow
from jobs.versions.names import shown_name


def open_job_view(found: OpenJob) -> OpenJobView:
    """Show a job that is not over."""
    job = found.job
    return OpenJobView(
        id=job.id,
        tenant=found.tenant,
        status=job.status.value,
        why=found.why,
        pool=job.pool,
        priority=job.priority,
        model=f"{shown_name(job.model_name)}@{job.model_version}",
        request_counts=job.request_counts,
        waiting_shards=job.pending_shards,
        held_shards=found.held,
        device_seconds=round(job.device_s, 3),
        created_at=int(job.created_at),
        last_progress_at=_whole(job.last_progress_at),
        expires_at=int(job.expires_at),
    )


def tenant_view(found: TenantNow) -> TenantNowView:
    """Show a tenant and what it has waiting."""
    return TenantNowView(
        id=found.tenant.id,
        name=found.tenant.name,
        weight=found.tenant.weight,
        share=round(found.tenant.share, 3),
        keys=found.keys,
        open_jobs=found.open_jobs,
        waiting_shards=found.waiting_shards,
        created_at=int(found.tenant.created_at),
    )


def worker_view(found: Worker) -> WorkerView:
    """Show a worker process and what it holds."""
    shards = [
        HeldShardView(
            job_id=shard.job_id,
            tenant=shard.tenant,
            model=shard.model,
            shard_id=shard.shard_id,
            first=shard.first,
            count=shard.count,
            lease_until=int(shard.lease_until),
        )
        for shard in found.shards
    ]
    row = found.process
    return WorkerView(
        id=row.node,
        pool=row.pool,
        version=row.version,
        state=found.state,
        started_at=int(row.started_at),
        seen_at=int(row.seen_at),
        drained_at=_whole(row.drained_at),
        shards=shards,
    )


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds)
