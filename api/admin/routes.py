"""The calls of operators: what goes on over all tenants, and workers drained and resumed."""

from typing import Any

from apiflask import APIBlueprint

from api.admin.schemas import (
    Drained,
    KeptList,
    KeptView,
    OpenJobQuery,
    OpenJobView,
    TenantNowView,
    TenantQuery,
    UsageList,
    UsageQuery,
    UsageView,
    WorkerView,
)
from api.admin.views import open_job_view, tenant_view, worker_view
from api.current import actor, ground, require_admin
from api.web.openapi import describe
from api.web.parsing import read_query
from api.web.views import Page, listed
from jobs.oversight.crew import list_workers
from jobs.oversight.open_jobs import list_open_jobs
from jobs.oversight.using import disk_of, list_kept, list_tenants, list_usage
from jobs.presence.workers import drain, resume
from jobs.tenants.audit import write_entry

admin = APIBlueprint("admin", __name__, url_prefix="/v1/admin", tag="Operation")


class OpenJobList(Page[OpenJobView]):
    """Some of the open jobs."""


class TenantNowList(Page[TenantNowView]):
    """Some of the tenants."""


class WorkerList(Page[WorkerView]):
    """All worker processes."""


@admin.before_request
def _let_operators_in() -> None:
    require_admin("What is shown of all tenants")


@admin.get("/jobs")
@describe(admin, {200: OpenJobList}, problems=(403, 422), query=OpenJobQuery)
def list_admin_jobs() -> dict[str, Any]:
    """List the jobs of all tenants that are not over, oldest first, with why each waits."""
    query = read_query(OpenJobQuery)
    with ground().database.read() as session:
        found = list_open_jobs(
            session, after=query.after, limit=query.limit + 1, tenant=query.tenant
        )
        views = [open_job_view(each) for each in found[: query.limit]]
    return listed(views, len(found) > query.limit)


@admin.get("/tenants")
@describe(admin, {200: TenantNowList}, problems=(403, 422), query=TenantQuery)
def list_admin_tenants() -> dict[str, Any]:
    """List the tenants with their shares and what they have waiting."""
    query = read_query(TenantQuery)
    with ground().database.read() as session:
        found = list_tenants(session, after=query.after, limit=query.limit + 1)
    return listed([tenant_view(each) for each in found[: query.limit]], len(found) > query.limit)


@admin.get("/workers")
@describe(admin, {200: WorkerList}, problems=(403,))
def list_admin_workers() -> dict[str, Any]:
    """List the worker processes, those that are silent too, with the shards that each holds."""
    with ground().database.read() as session:
        return listed([worker_view(each) for each in list_workers(session)])


@admin.get("/usage")
@describe(admin, {200: UsageList}, problems=(403, 422), query=UsageQuery)
def list_admin_usage() -> dict[str, Any]:
    """Say what each tenant's jobs of the last days have used, the greatest first."""
    query = read_query(UsageQuery)
    with ground().database.read() as session:
        since, found = list_usage(session, query.days)
    views = [
        UsageView(
            id=each.tenant_id,
            tenant=each.tenant,
            jobs=each.jobs,
            items=each.items,
            completed=each.completed,
            failed=each.failed,
            device_seconds=round(each.device_s, 3),
        )
        for each in found
    ]
    return {**listed(views), "since": int(since)}


@admin.get("/storage")
@describe(admin, {200: KeptList}, problems=(403,))
def list_admin_storage() -> dict[str, Any]:
    """Say which tenant keeps how much of what it uploaded, and what room there is."""
    storage_url = ground().settings.storage_url
    with ground().database.read() as session:
        found = list_kept(session)
    views = [
        KeptView(id=each.tenant_id, tenant=each.tenant, files=each.files, bytes=each.bytes)
        for each in found
    ]
    total, free = disk_of(storage_url) or (None, None)
    shown = storage_url.partition("?")[0]
    return {**listed(views), "storage": shown, "total_bytes": total, "free_bytes": free}


@admin.post("/workers/<path:name>/drain")
@describe(admin, {200: Drained}, problems=(403, 404))
def drain_worker(name: str) -> dict[str, Any]:
    """Have an inference worker claim nothing from now on; what is in flight is finished.

    A launcher's name stands for all of its processes, and a host's for all of its launchers'. It
    holds over restarts, until `resume`.
    """
    with ground().database.write() as session:
        workers = drain(session, name)
        write_entry(session, actor(), "worker.drained", name, workers=workers)
    return Drained(workers=workers, drained=True).model_dump()


@admin.post("/workers/<path:name>/resume")
@describe(admin, {200: Drained}, problems=(403, 404))
def resume_worker(name: str) -> dict[str, Any]:
    """Let a worker that was drained claim again; within two seconds it looks for work."""
    with ground().database.write() as session:
        workers = resume(session, name)
        write_entry(session, actor(), "worker.resumed", name, workers=workers)
    return Drained(workers=workers, drained=False).model_dump()
