"""Endpoints of a tenant, which are told of every job of its own, besides what a job names itself.

    created ──► enabled ◄──► disabled, by the tenant or by a 410
                   └──rotated: the secret before signs as well, until its time is over

Whoever changes an endpoint and its deliveries locks the endpoint first. A secret leaves this room
when it is made, and to sign.
"""

from collections.abc import Sequence

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from jobs.base.bootstrap import Ground
from jobs.base.database import db_now
from jobs.base.errors import Conflict, InvalidRequest, NotFound
from jobs.base.ids import new_id
from jobs.base.settings import Settings
from jobs.inputs.addresses import UrlNotAllowed, check_url
from jobs.queue.webhooks import Told, body_of, give_up, new_delivery
from jobs.tables import Delivery, Tenant, WebhookEndpoint
from jobs.tenants.audit import Actor, write_entry
from jobs.tenants.signing import new_secret

MOST_ENDPOINTS = 16
PING = "ping"


def create_endpoint(
    ground: Ground, actor: Actor, url: str, events: Sequence[str], description: str
) -> WebhookEndpoint:
    """Store an endpoint with a fresh secret.

    Raises InvalidRequest for an address that may not be called, Conflict when there are too many.
    """
    _check(url, ground.settings)
    tenant_id = actor.tenant_id or ""
    row = WebhookEndpoint(
        id=new_id("whe"),
        tenant_id=tenant_id,
        url=url,
        events=list(events),
        description=description,
        enabled=True,
        secret=new_secret(),
    )
    with ground.database.write() as session:
        # Two at once could both be the last one.
        tenant = select(Tenant.id).where(Tenant.id == tenant_id)
        session.execute(tenant.with_for_update(key_share=True))
        of_tenant = select(func.count()).where(WebhookEndpoint.tenant_id == tenant_id)
        if (session.scalar(of_tenant) or 0) >= MOST_ENDPOINTS:
            raise Conflict(
                f"There are {MOST_ENDPOINTS} webhook endpoints already. Delete one first."
            )
        row.created_at = session.scalar(select(db_now())) or 0.0
        session.add(row)
        write_entry(session, actor, "endpoint.created", row.id)
    return row


def find_endpoint(session: Session, tenant_id: str, endpoint_id: str) -> WebhookEndpoint:
    """Give a tenant's endpoint; raises NotFound for another tenant's too."""
    return _found(session, tenant_id, endpoint_id, locks=False)


def list_endpoints(session: Session, tenant_id: str) -> list[WebhookEndpoint]:
    """Give a tenant's endpoints, newest first."""
    query = select(WebhookEndpoint).where(WebhookEndpoint.tenant_id == tenant_id)
    return list(session.scalars(query.order_by(WebhookEndpoint.id.desc())))


def change_endpoint(
    ground: Ground,
    actor: Actor,
    endpoint_id: str,
    *,
    url: str | None = None,
    events: Sequence[str] | None = None,
    description: str | None = None,
    enabled: bool | None = None,
) -> WebhookEndpoint:
    """Change what is given of an endpoint; what is on its way goes to a new address.

    What is on its way when it is disabled is given up. Raises NotFound and InvalidRequest.
    """
    if url is not None:
        _check(url, ground.settings)
    with ground.database.write() as session:
        row = _found(session, actor.tenant_id or "", endpoint_id, locks=True)
        row.events = row.events if events is None else list(events)
        row.description = row.description if description is None else description
        if url is not None and url != row.url:
            row.url = url
            waiting = Delivery.endpoint_id == row.id, Delivery.state == "pending"
            session.execute(update(Delivery).where(*waiting).values(url=url))
        if enabled is not None:
            row.enabled, row.disabled_reason = enabled, None
        if enabled is False:
            give_up(session, row.id)
        write_entry(session, actor, "endpoint.changed", row.id)
    return row


def rotate_secret(
    ground: Ground, actor: Actor, endpoint_id: str, *, overlap_s: float
) -> WebhookEndpoint:
    """Give an endpoint a fresh secret; the one before signs as well for `overlap_s` seconds.

    One that was still being replaced ends at once. Raises NotFound.
    """
    with ground.database.write() as session:
        row = _found(session, actor.tenant_id or "", endpoint_id, locks=True)
        now = session.scalar(select(db_now())) or 0.0
        row.old_secret = row.secret if overlap_s > 0 else None
        row.old_secret_until = now + overlap_s if overlap_s > 0 else None
        row.secret = new_secret()
        write_entry(session, actor, "endpoint.rotated", row.id)
    return row


def delete_endpoint(ground: Ground, actor: Actor, endpoint_id: str) -> None:
    """Delete an endpoint with its secrets and the log of its deliveries. Raises NotFound."""
    with ground.database.write() as session:
        row = _found(session, actor.tenant_id or "", endpoint_id, locks=True)
        session.execute(delete(Delivery).where(Delivery.endpoint_id == row.id))
        session.delete(row)
        write_entry(session, actor, "endpoint.deleted", endpoint_id)


def ping(ground: Ground, actor: Actor, endpoint_id: str) -> Delivery:
    """Send an event of no job to an endpoint; it takes the place of an earlier one in the log.

    Raises NotFound, and Conflict when the endpoint is disabled.
    """
    with ground.database.write() as session:
        row = _found(session, actor.tenant_id or "", endpoint_id, locks=True)
        require_enabled(row)
        # Of no job, they would be deleted with none.
        earlier = Delivery.endpoint_id == row.id, Delivery.job_id.is_(None)
        session.execute(delete(Delivery).where(*earlier))
        now = session.scalar(select(db_now())) or 0.0
        body = body_of(PING, {"id": row.id}, now)
        to = Told(row.id, row.url, row.events)
        delivery = new_delivery(to, new_id("evt"), row.tenant_id, None, body, now)
        session.add(delivery)
    return delivery


def require_enabled(row: WebhookEndpoint) -> None:
    """Refuse to send to an endpoint that is disabled; raises Conflict."""
    if not row.enabled:
        raise Conflict(f"The webhook endpoint {row.id} is disabled. Enable it first.")


def _found(session: Session, tenant_id: str, endpoint_id: str, *, locks: bool) -> WebhookEndpoint:
    query = select(WebhookEndpoint).where(
        WebhookEndpoint.id == endpoint_id, WebhookEndpoint.tenant_id == tenant_id
    )
    row = session.scalar(query.with_for_update() if locks else query)
    if row is None:
        raise NotFound(f"There is no webhook endpoint {endpoint_id!r}.")
    return row


def _check(url: str, settings: Settings) -> None:
    try:
        check_url(url, allow_networks=settings.egress_allow)
    except UrlNotAllowed as err:
        raise InvalidRequest(f"`url` is refused: {str(err).rstrip('.')}.", param="url") from err
