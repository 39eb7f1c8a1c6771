"""The log of deliveries: what was sent to whom, what was answered, and sending it once more."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from jobs.base.bootstrap import Ground
from jobs.base.database import db_now
from jobs.base.errors import Conflict, NotFound
from jobs.queue.endpoints import find_endpoint, require_enabled
from jobs.queue.webhooks import Told, new_delivery
from jobs.tables import Delivery, Job


def list_deliveries(
    session: Session,
    tenant_id: str,
    *,
    after: str | None,
    limit: int,
    job_id: str | None = None,
    endpoint_id: str | None = None,
    state: str | None = None,
) -> list[Delivery]:
    """Give up to `limit` of a tenant's deliveries that come after `after`, newest first."""
    query = select(Delivery).where(Delivery.tenant_id == tenant_id)
    query = query.order_by(Delivery.id.desc()).limit(limit)
    if after is not None:
        query = query.where(Delivery.id < after)
    if job_id is not None:
        query = query.where(Delivery.job_id == job_id)
    if endpoint_id is not None:
        query = query.where(Delivery.endpoint_id == endpoint_id)
    if state is not None:
        query = query.where(Delivery.state == state)
    return list(session.scalars(query))


def find_delivery(session: Session, tenant_id: str, delivery_id: str) -> Delivery:
    """Give a tenant's delivery; raises NotFound for another tenant's too."""
    query = select(Delivery).where(Delivery.id == delivery_id, Delivery.tenant_id == tenant_id)
    row = session.scalar(query)
    if row is None:
        raise NotFound(f"There is no webhook delivery {delivery_id!r}.")
    return row


def redeliver(ground: Ground, tenant_id: str, delivery_id: str) -> Delivery:
    """Send an event once more, as a delivery of its own with all its tries; gives that.

    The body and the event's id are the same, the address is the endpoint's present one. Raises
    NotFound, and Conflict while it is still being tried or when its endpoint is disabled.
    """
    with ground.database.write() as session:
        row = find_delivery(session, tenant_id, delivery_id)
        if row.state == "pending":
            raise Conflict(f"The webhook delivery {delivery_id} is still being tried.")
        to = Told(None, row.url, ())
        if row.endpoint_id is not None:
            endpoint = find_endpoint(session, tenant_id, row.endpoint_id)
            require_enabled(endpoint)
            to = Told(endpoint.id, endpoint.url, ())
        if row.job_id is not None:
            # Locked, so that it is not deleted meanwhile without the new delivery.
            job = select(Job.id).where(Job.id == row.job_id, Job.deleted_at.is_(None))
            if session.scalar(job.with_for_update(key_share=True)) is None:
                raise NotFound(f"The job of the webhook delivery {delivery_id} was deleted.")
        now = session.scalar(select(db_now())) or 0.0
        again = new_delivery(to, row.event_id, tenant_id, row.job_id, row.body, now)
        session.add(again)
    return again
