"""Who changed what: written in the transaction of the change, so that neither is without the other.

    model.registered   version.ready      version.refused    version.deleted
    alias.moved        alias.removed      canary.begun       canary.ended
    shadow.begun       shadow.ended
    key.created        key.revoked
    bucket.allowed     bucket.withdrawn   connection.created connection.deleted
    endpoint.created   endpoint.changed   endpoint.rotated   endpoint.disabled   endpoint.deleted
    worker.drained     worker.resumed
    share.created      share.revoked

The log outlives what it speaks of: rows are added, never changed.
"""

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from jobs.base.database import db_now
from jobs.tables import AuditEntry

Action = Literal[
    "model.registered",
    "version.ready",
    "version.refused",
    "version.deleted",
    "alias.moved",
    "alias.removed",
    "canary.begun",
    "canary.ended",
    "shadow.begun",
    "shadow.ended",
    "key.created",
    "key.revoked",
    "bucket.allowed",
    "bucket.withdrawn",
    "connection.created",
    "connection.deleted",
    "endpoint.created",
    "endpoint.changed",
    "endpoint.rotated",
    "endpoint.disabled",
    "endpoint.deleted",
    "watch.created",
    "watch.paused",
    "watch.resumed",
    "watch.deleted",
    "worker.drained",
    "worker.resumed",
    "share.created",
    "share.revoked",
]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who makes a change: a key, by its id and with its tenant, or one of our own processes."""

    who: str
    tenant_id: str | None = None


OPERATOR, WORKER, SWEEPER = Actor("operator"), Actor("worker"), Actor("sweeper")


def write_entry(
    session: Session, actor: Actor, action: Action, subject: str, **details: Any
) -> None:
    """Record a change in the transaction that makes it; `subject` is such as `digits@3`."""
    session.add(
        AuditEntry(
            at=session.scalar(select(db_now())) or 0.0,
            who=actor.who,
            tenant_id=actor.tenant_id,
            action=action,
            subject=subject,
            details=details,
        )
    )


def list_entries(session: Session, *, after: int | None, limit: int) -> list[AuditEntry]:
    """Give up to `limit` entries older than `after`, newest first."""
    query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
    if after is not None:
        query = query.where(AuditEntry.id < after)
    return list(session.scalars(query))
