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
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, not_, or_, select, true, update
from sqlalchemy.orm import Session

from jobs.base.bootstrap import Ground
from jobs.base.database import db_now
from jobs.base.ids import new_id
from jobs.leases.leased import Leased
from jobs.leases.leases import Lease, is_due, lease_within
from jobs.tables import Delivery, Job, Tenant

EVENTS = ("job.completed", "job.failed", "job.cancelled", "job.expired")

# A sender that dies leaves its delivery due again after this time.
_SENDING_S = 60.0

# Each lease is a try: whoever sends one says when it is due again, or that it is over.
DELIVERIES = Leased(
    name="delivery",
    table=Delivery,
    key=(Delivery.id,),
    fence=Delivery.fence,
    until=Delivery.due_at,
    is_open=Delivery.state == "pending",
    due=true(),
    order=Delivery.due_at,
    lease_s=lambda _: _SENDING_S,
    max_attempts=lambda settings: len(settings.webhook_delays_s) + 1,
)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One delivery to send now: a lease on its row; `sent_at` is the database's time."""

    lease: Lease[Delivery]
    secret: str
    sent_at: float

    @property
    def row(self) -> Delivery:
        """The delivery, as it was leased."""
        return self.lease.row


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


def lease_delivery(ground: Ground, busy: Collection[str] = ()) -> Outgoing | None:
    """Lease the delivery that has been due for longest; None when there is none.

    Those to the receivers of `busy` (such as `https://host:8443`) are left for later.
    """
    if not is_due(ground.database, DELIVERIES):
        return None
    with ground.database.write() as session:
        free = (not_(_is_to(origin)) for origin in busy)
        lease = lease_within(session, ground.settings, DELIVERIES, *free)
        return None if lease is None else _outgoing(session, lease)


def _outgoing(session: Session, lease: Lease[Delivery]) -> Outgoing:
    job = session.get_one(Job, lease.row.job_id)
    own = (job.webhook or {}).get("secret")
    secret = own or session.get_one(Tenant, lease.row.tenant_id).webhook_secret
    return Outgoing(lease, secret, session.scalar(select(db_now())) or 0.0)


def _is_to(origin: str) -> ColumnElement[bool]:
    """Say in SQL whether a delivery goes to a receiver, whatever path and query it has there."""
    begins = [Delivery.url.startswith(origin + mark, autoescape=True) for mark in "/?#"]
    return or_(Delivery.url == origin, *begins)


def record_answer(
    ground: Ground,
    outgoing: Outgoing,
    *,
    status: int | None,
    error: str | None,
    retry_after_s: float = 0.0,
) -> None:
    """Write down how a try ended, and when the next is due if there is one.

    `status` is the receiver's, None when none came. Any 2xx delivers; 410 ends the tries, as the
    specification says; everything else, a redirect too, is tried again after the next delay.
    """
    lease, settings = outgoing.lease, ground.settings
    delivered = status is not None and 200 <= status < 300
    hopeless = status == 410 or lease.is_last(settings)
    state = "delivered" if delivered else "failed" if hopeless else "pending"
    due_at = db_now() + 0.0
    if state == "pending":
        delay_s = settings.webhook_delays_s[lease.attempts - 1]
        due_at = db_now() + max(delay_s * random.uniform(1.0, 1.1), retry_after_s)
    with ground.database.write() as session:
        session.execute(
            update(Delivery)
            .where(lease.is_held)
            .values(
                state=state,
                due_at=due_at,
                last_status=status,
                last_error=error,
                ended_at=None if state == "pending" else db_now(),
            )
        )
