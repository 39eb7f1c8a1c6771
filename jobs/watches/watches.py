"""Watches as their callers see them: made, found, paused, resumed, deleted.

Whoever pauses or deletes one raises its fence, or takes its row away: a listing that goes on at
that moment stores nothing any more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from jobs.base.bootstrap import Ground
from jobs.base.database import db_now
from jobs.base.errors import Conflict, IdempotencyMismatch, NotFound
from jobs.base.hints import IO
from jobs.base.ids import new_id
from jobs.base.states import WatchState
from jobs.base.storage import StorageError
from jobs.intake.submission import Idempotency
from jobs.tables import Job, Tenant, Watch
from jobs.tenants.audit import Actor, write_entry

log = structlog.get_logger(__name__)

MOST_WATCHES = 100
"""Of one tenant."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A watch as its caller wants it, checked; the members are those of its row."""

    source: dict[str, Any]
    requested: dict[str, Any]
    options: dict[str, Any]
    interval_s: float
    only_new: bool = False


def create_watch(
    ground: Ground, actor: Actor, wanted: Wanted, idempotency: Idempotency | None = None
) -> tuple[Watch, bool]:
    """Store a watch, which is due at once; False with the one of an earlier, equal request.

    Raises IdempotencyMismatch when the key was used with another body, and Conflict when there are
    too many.
    """
    tenant_id = actor.tenant_id or ""
    try:
        with ground.database.write() as session:
            earlier = _earlier(session, tenant_id, idempotency)
            if earlier is not None:
                return earlier, False
            _check_room(session, tenant_id)
            row = _new_row(session, tenant_id, wanted, idempotency)
            session.add(row)
            write_entry(session, actor, "watch.created", row.id)
            session.flush()
    except IntegrityError:
        earlier = find_earlier_watch(ground, tenant_id, idempotency)
        if earlier is None:
            raise
        return earlier, False
    ground.hints.send(IO)
    return row, True


def find_earlier_watch(
    ground: Ground, tenant_id: str, idempotency: Idempotency | None
) -> Watch | None:
    """Give the watch of an earlier, equal request; raises IdempotencyMismatch for another one."""
    with ground.database.read() as session:
        return _earlier(session, tenant_id, idempotency)


def find_watch(session: Session, tenant_id: str, watch_id: str) -> Watch:
    """Give a tenant's watch; raises NotFound for another tenant's too."""
    return _found(session, tenant_id, watch_id, locks=False)


def list_watches(session: Session, tenant_id: str) -> list[Watch]:
    """Give a tenant's watches, newest first."""
    query = select(Watch).where(Watch.tenant_id == tenant_id)
    return list(session.scalars(query.order_by(Watch.id.desc())))


def open_items(session: Session, watches: Sequence[Watch]) -> dict[str, int]:
    """Count for each watch the items of its jobs that have no result yet."""
    ended = Job.completed + Job.failed + Job.cancelled + Job.expired
    counted = session.execute(
        select(Job.watch_id, func.sum(Job.total - ended))
        .where(Job.watch_id.in_([watch.id for watch in watches]), Job.ended_at.is_(None))
        .group_by(Job.watch_id)
    )
    return {watch_id: int(count) for watch_id, count in counted if watch_id is not None}


def pause_watch(ground: Ground, actor: Actor, watch_id: str) -> Watch:
    """List no more until it is resumed; its jobs run on. Raises NotFound."""
    with ground.database.write() as session:
        row = _found(session, actor.tenant_id or "", watch_id, locks=True)
        if row.state is not WatchState.PAUSED:
            row.state = WatchState.PAUSED
            row.fence, row.lease_until = row.fence + 1, None
            write_entry(session, actor, "watch.paused", row.id)
    return row


def resume_watch(ground: Ground, actor: Actor, watch_id: str) -> Watch:
    """List as soon as an io worker is free, also where it is failing. Raises NotFound."""
    with ground.database.write() as session:
        row = _found(session, actor.tenant_id or "", watch_id, locks=True)
        row.next_at = session.scalar(select(db_now())) or 0.0
        if row.state is not WatchState.ACTIVE:
            row.state, row.failures, row.last_error = WatchState.ACTIVE, 0, None
            write_entry(session, actor, "watch.resumed", row.id)
    ground.hints.send(IO)
    return row


def delete_watch(ground: Ground, actor: Actor, watch_id: str) -> None:
    """Forget a watch and what it has seen; its jobs and their results stay. Raises NotFound."""
    with ground.database.write() as session:
        row = _found(session, actor.tenant_id or "", watch_id, locks=True)
        session.execute(delete(Watch).where(Watch.id == row.id))
        write_entry(session, actor, "watch.deleted", row.id)
    try:
        ground.storage.delete([row.seen] if row.seen else [])
    except StorageError as err:
        # It is nobody's now, and found in time (jobs.aftercare.tidying).
        log.warning("seen_not_deleted", watch=watch_id, error=str(err))


def _found(session: Session, tenant_id: str, watch_id: str, *, locks: bool) -> Watch:
    query = select(Watch).where(Watch.id == watch_id, Watch.tenant_id == tenant_id)
    row = session.scalar(query.with_for_update() if locks else query)
    if row is None:
        raise NotFound(f"There is no watch {watch_id!r}.")
    return row


def _earlier(session: Session, tenant_id: str, idempotency: Idempotency | None) -> Watch | None:
    if idempotency is None:
        return None
    under_key = Watch.tenant_id == tenant_id, Watch.idempotency_key == idempotency.key
    row = session.scalar(select(Watch).where(*under_key))
    if row is not None and row.fingerprint != idempotency.fingerprint:
        raise IdempotencyMismatch(
            f"The Idempotency-Key {idempotency.key!r} was used before with another request. "
            "Use a new key for a new watch.",
            param="Idempotency-Key",
        )
    return row


def _check_room(session: Session, tenant_id: str) -> None:
    # Two at once could both be the last one.
    tenant = select(Tenant.id).where(Tenant.id == tenant_id)
    session.execute(tenant.with_for_update(key_share=True))
    of_tenant = select(func.count()).where(Watch.tenant_id == tenant_id)
    if (session.scalar(of_tenant) or 0) >= MOST_WATCHES:
        raise Conflict(f"There are {MOST_WATCHES} watches already. Delete one first.")


def _new_row(
    session: Session, tenant_id: str, wanted: Wanted, idempotency: Idempotency | None
) -> Watch:
    now = session.scalar(select(db_now())) or 0.0
    return Watch(
        id=new_id("wat"),
        tenant_id=tenant_id,
        state=WatchState.ACTIVE,
        source=wanted.source,
        requested=wanted.requested,
        options=wanted.options,
        interval_s=wanted.interval_s,
        only_new=wanted.only_new,
        next_at=now,
        created_at=now,
        idempotency_key=idempotency.key if idempotency else None,
        fingerprint=idempotency.fingerprint if idempotency else None,
    )
