"""Events on their way to a caller's server, signed as Standard Webhooks 1.0 says.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

A delivery is inserted in the transaction that causes its event, so that neither can be without the
other; an io worker sends it (`workers.errands.delivery`) until a receiver answers 2xx or the
retries end.

    pending ──2xx──► delivered
       └──no retry left, 410, or its endpoint was disabled──► failed

An event goes to the receiver that its job names and to those of its tenant's endpoints that want it
(`jobs.queue.endpoints`). `jobs.queue.deliveries` is the log of it, and sends again what was sent.

A crash while sending leaves it pending and due again: a receiver may see an event twice, under the
same `webhook-id`, and never not at all.
"""

import json
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, not_, or_, select, true, update
from sqlalchemy.orm import Session

from jobs.base.bootstrap import Ground
from jobs.base.database import db_now
from jobs.base.ids import new_id
from jobs.leases.leased import Leased
from jobs.leases.leases import Lease, is_due, lease_within
from jobs.tables import Delivery, Job, Tenant, WebhookEndpoint
from jobs.tenants.audit import WORKER, Actor, write_entry

OUTPUT_WRITTEN, OUTPUT_FAILED = "job.output_written", "job.output_failed"
EVENTS = (
    "job.completed",
    "job.failed",
    "job.cancelled",
    "job.expired",
    OUTPUT_WRITTEN,
    OUTPUT_FAILED,
)

# The events of a job are numbered from 1, so that receivers can order them: it ends once, and what
# becomes of its output is known once.
_SEQUENCE_OF_END, _SEQUENCE_OF_OUTPUT = 1, 2

# How a delivery stands that a receiver took.
DELIVERED = "delivered"
# What is kept of an answer, in bytes.
_ANSWER_KEPT = 1024
_DISABLED = "The endpoint was disabled or deleted."

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
    # Each of them signs; there are two while an endpoint's secret is being replaced.
    secrets: tuple[str, ...] = field(repr=False)
    sent_at: float

    @property
    def row(self) -> Delivery:
        """The delivery, as it was leased."""
        return self.lease.row


@dataclass(frozen=True, slots=True)
class Told:
    """A receiver of events; `endpoint_id` is None for the one that a job names itself."""

    endpoint_id: str | None
    url: str
    events: Collection[str]


def record_event(session: Session, job: Job, now: float, told: Sequence[Told]) -> None:
    """Insert the deliveries of a job that has just become terminal; `told` are its endpoints."""
    _insert(session, job, f"job.{job.status}", {"sequence": _SEQUENCE_OF_END}, now, told)


def record_output(
    session: Session, job: Job, event: str, output: Mapping[str, Any], now: float
) -> None:
    """Insert the deliveries of a job whose output was written just now, or never will be."""
    endpoints = select(WebhookEndpoint.id, WebhookEndpoint.url, WebhookEndpoint.events).where(
        WebhookEndpoint.tenant_id == job.tenant_id, WebhookEndpoint.enabled
    )
    told = [Told(row.id, row.url, row.events) for row in session.execute(endpoints)]
    said = {"sequence": _SEQUENCE_OF_OUTPUT, "output": output}
    _insert(session, job, event, said, now, told)


def _insert(
    session: Session,
    job: Job,
    event: str,
    said: Mapping[str, Any],
    now: float,
    told: Sequence[Told],
) -> None:
    own = [Told(None, job.webhook["url"], job.webhook["events"])] if job.webhook else []
    wanted = [each for each in (*own, *told) if event in each.events]
    if not wanted:
        return
    data = {
        "id": job.id,
        "status": job.status,
        "outcome": job.outcome,
        "request_counts": job.request_counts,
        **said,
    }
    event_id, body = new_id("evt"), body_of(event, data, now)
    for each in wanted:
        session.add(new_delivery(each, event_id, job.tenant_id, job.id, body, now))


def new_delivery(
    to: Told, event_id: str, tenant_id: str, job_id: str | None, body: str, now: float
) -> Delivery:
    """Make the row of an event on its way to one receiver, due at once."""
    return Delivery(
        id=new_id("whd"),
        event_id=event_id,
        tenant_id=tenant_id,
        job_id=job_id,
        endpoint_id=to.endpoint_id,
        url=to.url,
        body=body,
        state="pending",
        due_at=now,
        created_at=now,
    )


def body_of(event: str, data: Mapping[str, Any] | None, now: float) -> str:
    """Write an event as it is sent and signed: its type, its time, and a few members of data."""
    timestamp = datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z")
    return json.dumps({"type": event, "timestamp": timestamp, "data": data})


def lease_delivery(ground: Ground, busy: Collection[str] = ()) -> Outgoing | None:
    """Lease the delivery that has been due for longest; None when there is none.

    Those to the receivers of `busy` (such as `https://host:8443`) are left for later.
    """
    if not is_due(ground.database, DELIVERIES):
        return None
    free = [not_(_is_to(origin)) for origin in busy]
    with ground.database.write() as session:
        while (lease := lease_within(session, ground.settings, DELIVERIES, *free)) is not None:
            now = session.scalar(select(db_now())) or 0.0
            if secrets := _secrets_of(session, lease.row, now):
                return Outgoing(lease, secrets, now)
            _give_up(session, now, lease.is_held)
    return None


def _secrets_of(session: Session, row: Delivery, now: float) -> tuple[str, ...]:
    """Give what a delivery is signed with; nothing when its endpoint is not to be called."""
    if row.endpoint_id is None:
        job = session.get_one(Job, row.job_id)
        own = (job.webhook or {}).get("secret")
        return (own or session.get_one(Tenant, row.tenant_id).webhook_secret,)
    endpoint = session.get(WebhookEndpoint, row.endpoint_id)
    if endpoint is None or not endpoint.enabled:
        return ()
    is_old_good = endpoint.old_secret is not None and now < (endpoint.old_secret_until or 0.0)
    return (endpoint.secret, endpoint.old_secret or "") if is_old_good else (endpoint.secret,)


def give_up(session: Session, endpoint_id: str) -> None:
    """End what is still on its way to an endpoint that is disabled."""
    now = session.scalar(select(db_now())) or 0.0
    _give_up(session, now, Delivery.endpoint_id == endpoint_id)


def _give_up(session: Session, now: float, which: ColumnElement[bool]) -> None:
    ended = {"state": "failed", "ended_at": now, "due_at": now, "last_error": _DISABLED}
    session.execute(
        update(Delivery).where(which, Delivery.state == "pending").values(ended),
        execution_options={"synchronize_session": False},
    )


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
    response: bytes = b"",
    retry_after_s: float = 0.0,
) -> None:
    """Write down how a try ended, and when the next is due if there is one.

    `status` and `response` are the receiver's, None and nothing when none came. Any 2xx delivers;
    410 ends the tries and disables the endpoint, as the specification says; everything else, a
    redirect too, is tried again after the next delay.
    """
    lease, settings = outgoing.lease, ground.settings
    delivered = status is not None and 200 <= status < 300
    hopeless = status == 410 or lease.is_last(settings)
    state = DELIVERED if delivered else "failed" if hopeless else "pending"
    due_at = db_now() + 0.0
    if state == "pending":
        delay_s = settings.webhook_delays_s[lease.attempts - 1]
        due_at = db_now() + max(delay_s * random.uniform(1.0, 1.1), retry_after_s)
    with ground.database.write() as session:
        # Before its deliveries, as everywhere (jobs.queue.endpoints).
        is_gone = status == 410 and _disable(session, lease.row)
        session.execute(
            update(Delivery)
            .where(lease.is_held)
            .values(
                state=state,
                due_at=due_at,
                last_status=status,
                last_response=None if status is None else _as_text(response),
                last_error=error,
                ended_at=None if state == "pending" else db_now(),
            )
        )
        if is_gone and lease.row.endpoint_id is not None:
            give_up(session, lease.row.endpoint_id)


def _disable(session: Session, row: Delivery) -> bool:
    """Disable an endpoint that says it is gone, unless it was given another address meanwhile."""
    is_it = WebhookEndpoint.id == row.endpoint_id, WebhookEndpoint.url == row.url
    gone = update(WebhookEndpoint).where(*is_it, WebhookEndpoint.enabled)
    reason = "The receiver answered 410 Gone."
    found = session.scalar(
        gone.values(enabled=False, disabled_reason=reason).returning(WebhookEndpoint.id)
    )
    if found is None:
        return False
    write_entry(session, Actor(WORKER.who, row.tenant_id), "endpoint.disabled", found)
    return True


def _as_text(response: bytes) -> str:
    # No database stores a NUL.
    return (
        response[:_ANSWER_KEPT].decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    )
