"""Who uses what: tenants with their shares, what they have used of late, what they keep."""

import shutil
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from jobs.base.database import db_now
from jobs.base.ids import first_id_at
from jobs.tables import ApiKey, File, Job, Tenant


class TenantNow(NamedTuple):
    """A tenant, what it has waiting, and its share: device seconds used over its weight."""

    tenant: Tenant
    keys: int
    open_jobs: int
    waiting_shards: int


class Usage(NamedTuple):
    """What the jobs of a tenant have used that were submitted since a time."""

    tenant_id: str
    tenant: str
    jobs: int
    items: int
    completed: int
    failed: int
    device_s: float


class Kept(NamedTuple):
    """The files that a tenant has uploaded and not deleted."""

    tenant_id: str
    tenant: str
    files: int
    bytes: int


def list_tenants(session: Session, *, after: str | None, limit: int) -> list[TenantNow]:
    """Give up to `limit` tenants that come after `after`, in the order of their making."""
    jobs = (
        select(
            Job.tenant_id,
            func.count().label("open_jobs"),
            func.sum(Job.pending_shards).label("waiting"),
        )
        .where(Job.ended_at.is_(None))
        .group_by(Job.tenant_id)
        .subquery()
    )
    keys = (
        select(ApiKey.tenant_id, func.count().label("active"))
        .where(ApiKey.revoked_at.is_(None))
        .group_by(ApiKey.tenant_id)
        .subquery()
    )
    query = (
        select(Tenant, keys.c.active, jobs.c.open_jobs, jobs.c.waiting)
        .outerjoin(keys, keys.c.tenant_id == Tenant.id)
        .outerjoin(jobs, jobs.c.tenant_id == Tenant.id)
        .order_by(Tenant.id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(Tenant.id > after)
    return [
        TenantNow(tenant, active or 0, open_jobs or 0, int(waiting or 0))
        for tenant, active, open_jobs, waiting in session.execute(query)
    ]


def list_usage(session: Session, days: float) -> tuple[float, list[Usage]]:
    """Give since when, and what each tenant has used since then; who used most comes first.

    Of jobs by the time of their submission, by the clock of the API that took them.
    """
    since = (session.scalar(select(db_now())) or 0.0) - days * 86400
    device_s = func.sum(Job.device_s)
    query = (
        select(
            Job.tenant_id,
            Tenant.name,
            func.count(),
            func.sum(Job.total),
            func.sum(Job.completed),
            func.sum(Job.failed),
            device_s,
        )
        .join(Tenant, Tenant.id == Job.tenant_id)
        .where(Job.id >= first_id_at("job", since))
        .group_by(Job.tenant_id, Tenant.name)
        .order_by(device_s.desc(), Job.tenant_id)
    )
    rows = session.execute(query).all()
    return since, [
        Usage(of, name, jobs, int(items), int(completed), int(failed), float(used_s))
        for of, name, jobs, items, completed, failed, used_s in rows
    ]


def list_kept(session: Session) -> list[Kept]:
    """Give what each tenant has uploaded and keeps; who keeps most comes first."""
    size = func.sum(File.bytes)
    query = (
        select(File.tenant_id, Tenant.name, func.count(), size)
        .join(Tenant, Tenant.id == File.tenant_id)
        .group_by(File.tenant_id, Tenant.name)
        .order_by(size.desc(), File.tenant_id)
    )
    return [Kept(row[0], row[1], int(row[2]), int(row[3])) for row in session.execute(query)]


def disk_of(storage_url: str) -> tuple[int, int] | None:
    """Give total and free bytes of the disk that blobs lie on; None of an object store."""
    if not storage_url.startswith("file://"):
        return None
    usage = shutil.disk_usage(Path(storage_url.removeprefix("file://")).resolve())
    return usage.total, usage.free
