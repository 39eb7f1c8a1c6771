"""Tables of webhooks: the addresses that a tenant has called, and each event on its way to one."""

from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from jobs.tables.bases import Table


class WebhookEndpoint(Table):
    """An address of a tenant that is told of every job; its secrets are shown once, when made."""

    __tablename__ = "webhook_endpoints"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), index=True)
    url: Mapped[str]
    events: Mapped[list[Any]]
    description: Mapped[str]
    enabled: Mapped[bool]
    # Why it was disabled, where its tenant did not do it.
    disabled_reason: Mapped[str | None]
    secret: Mapped[str]
    # The one before, which signs as well until its time is over.
    old_secret: Mapped[str | None]
    old_secret_until: Mapped[float | None]
    created_at: Mapped[float]


class Delivery(Table):
    """One event on its way to one receiver, with the outcome of its last attempt."""

    __tablename__ = "deliveries"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    # One for all receivers of an event, and for every repetition.
    event_id: Mapped[str] = mapped_column(String(32))
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    # Null for a ping, which is of no job.
    job_id: Mapped[str | None] = mapped_column(ForeignKey("jobs.id"), index=True)
    # Null where the job named its receiver itself. No foreign key: a commit never waits for, nor
    # fails by, an endpoint that is being deleted.
    endpoint_id: Mapped[str | None] = mapped_column(String(32))
    url: Mapped[str]
    body: Mapped[str]
    state: Mapped[str] = mapped_column(String(16))
    # The lease on its sending, which ends when it is due again (jobs.queue.webhooks).
    fence: Mapped[int] = mapped_column("attempt", Integer, default=0, key="fence")
    due_at: Mapped[float]
    last_status: Mapped[int | None] = mapped_column(Integer)
    # The beginning of what the receiver answered.
    last_response: Mapped[str | None]
    last_error: Mapped[str | None]
    created_at: Mapped[float]
    ended_at: Mapped[float | None]

    __table_args__ = (
        Index("ix_deliveries_tenant_id_id", "tenant_id", "id"),
        Index(
            "ix_deliveries_endpoint_id",
            "endpoint_id",
            postgresql_where=text("endpoint_id IS NOT NULL"),
            sqlite_where=text("endpoint_id IS NOT NULL"),
        ),
        Index(
            "ix_deliveries_due",
            "due_at",
            postgresql_where=text("state = 'pending'"),
            sqlite_where=text("state = 'pending'"),
        ),
    )
