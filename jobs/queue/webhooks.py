"""Events on their way to a caller's server, signed as Standard Webhooks 1.0 says.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

A delivery is inserted in the transaction that causes its event, so that neither can be without the
other; an io worker sends it (`workers.errands.delivery`) until a receiver answers 2xx or the
retries end.

    pending ──2xx──► delivered
       └──no retry left, or 410──► failed

A crash while sending leaves it pending and due again: a receiver may see an event twice, under the
same `webhook-id`, and never not at all.
"""

import json
import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, not_, or_, select, update
from sqlalchemy.orm import Session

from jobs.base.database import Database, db_now
from jobs.base.ids import new_id
from jobs.tables import Delivery, Job, Table, Tenant

EVENTS = ("job.completed", "job.failed", "job.cancelled", "job.expired")

# A sender that dies leaves its delivery due again after this time.
_SENDING_S = 60.0

_deliveries = Table.metadata.tables["deliveries"].c
# Built once: a worker asks it after every shard.
_ANY_DUE = (
    select(_deliveries.id)
    .where(_deliveries.state == "pending", _deliveries.due_at <= db_now())
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One delivery to send now; `attempt` is 1 at the first try, `sent_at` the database's time."""

    id: str
    event_id: str
    job_id: str
    url: str
    body: str
    secret: str
    attempt: int
    sent_at: float


def record_event(session: Session, job: Job) -> None:
    """Insert the deliveries of a job that has just become terminal."""
    event = f"job.{job.status}"
    if job.webhook is None or event not in job.webhook["events"]:
        return
    now = session.scalar(select(db_now())) or 0.0
    session.add(
        Delivery(
            id=new_id("whd"),
            event_id=new_id("evt"),
            tenant_id=job.tenant_id,
            job_id=job.id,
            url=job.webhook["url"],
            body=_body(event, job, now),
            state="pending",
            due_at=now,
            created_at=now,
        )
    )


def _body(event: str, job: Job, now: float) -> str:
    data = {
        "id": job.id,
        "status": job.status,
        "outcome": job.outcome,
        "request_counts": job.request_counts,
    }
    timestamp = datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z")
    return json.dumps({"type": event, "timestamp": timestamp, "data": data})


def claim_due(database: Database, busy: Collection[str] = ()) -> Outgoing | None:
    """Take the delivery that has been due for longest; None when there is none.

    Those to the receivers of `busy` (such as `https://host:8443`) are left for later.
    """
    if not has_due(database):
        return None
    with database.write() as session:
        oldest = (
            select(Delivery.id)
            .where(
                Delivery.state == "pending",
                Delivery.due_at <= db_now(),
                *(not_(_is_to(origin)) for origin in busy),
            )
            .order_by(Delivery.due_at)
            .limit(1)
            .with_for_update(skip_locked=True)
            .scalar_subquery()
        )
        taken = session.scalar(
            update(Delivery)
            .where(Delivery.id == oldest, Delivery.state == "pending")
            .values(attempt=Delivery.attempt + 1, due_at=db_now() + _SENDING_S)
            .returning(Delivery)
        )
        return _outgoing(session, taken) if taken is not None else None


def _is_to(origin: str) -> ColumnElement[bool]:
    """Say in SQL whether a delivery goes to a receiver, whatever path and query it has there."""
    begins = [Delivery.url.startswith(origin + mark, autoescape=True) for mark in "/?#"]
    return or_(Delivery.url == origin, *begins)


def has_due(database: Database) -> bool:
    """Say whether a delivery waits to be sent; a read that disturbs nobody."""
    with database.read() as session:
        return session.connection().scalar(_ANY_DUE) is not None


def _outgoing(session: Session, delivery: Delivery) -> Outgoing:
    job = session.get_one(Job, delivery.job_id)
    own = (job.webhook or {}).get("secret")
    secret = own or session.get_one(Tenant, delivery.tenant_id).webhook_secret
    return Outgoing(
        id=delivery.id,
        event_id=delivery.event_id,
        job_id=delivery.job_id,
        url=delivery.url,
        body=delivery.body,
        secret=secret,
        attempt=delivery.attempt,
        sent_at=session.scalar(select(db_now())) or 0.0,
    )


def record_answer(
    database: Database,
    outgoing: Outgoing,
    *,
    status: int | None,
    error: str | None,
    delays_s: Sequence[float],
    retry_after_s: float = 0.0,
) -> None:
    """Write down how an attempt ended, and when the next is due if there is one.

    `status` is the receiver's, None when none came. Any 2xx delivers; 410 ends the tries, as the
    specification says; everything else, a redirect too, is tried again after the next delay.
    """
    delivered = status is not None and 200 <= status < 300
    hopeless = status == 410 or outgoing.attempt > len(delays_s)
    state = "delivered" if delivered else "failed" if hopeless else "pending"
    due_at = db_now() + 0.0
    if state == "pending":
        delay = max(delays_s[outgoing.attempt - 1] * random.uniform(1.0, 1.1), retry_after_s)
        due_at = db_now() + delay
    with database.write() as session:
        session.execute(
            update(Delivery)
            .where(
                Delivery.id == outgoing.id,
                Delivery.state == "pending",
                Delivery.attempt == outgoing.attempt,
            )
            .values(
                state=state,
                due_at=due_at,
                last_status=status,
                last_error=error,
                ended_at=None if state == "pending" else db_now(),
            )
        )
