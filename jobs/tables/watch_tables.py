"""The table of watches; see jobs.tables."""

from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from jobs.base.states import WatchState
from jobs.tables.bases import Table


class Watch(Table):
    """A folder of a bucket whose new objects become jobs."""

    __tablename__ = "watches"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    state: Mapped[WatchState]
    # As in a job: where the objects lie, and `{"model": …, "params": …}` in the caller's words.
    source: Mapped[dict[str, Any]]
    requested: Mapped[dict[str, Any]]
    # What else its jobs say of themselves: members of jobs.intake.submission.Submission.
    options: Mapped[dict[str, Any]]
    # Whether what the first listing finds is left out.
    only_new: Mapped[bool] = mapped_column(default=False, server_default=false())
    interval_s: Mapped[float]

    # The lease on a listing. Its fence counts no tries: it goes up with every listing.
    fence: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[float | None]
    # When it is due, and listings in a row that failed, by which the pause grows.
    next_at: Mapped[float]
    failures: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None]

    # The blob of what it has seen (jobs.watches.seen); null before it has seen anything.
    seen: Mapped[str | None]
    last_listed_at: Mapped[float | None]
    # Objects that became items of jobs, and those found by the last listing that did not yet.
    objects_seen: Mapped[int] = mapped_column(default=0)
    objects_waiting: Mapped[int] = mapped_column(default=0)
    jobs_created: Mapped[int] = mapped_column(default=0)
    # What the last listing passed over (jobs.inputs.skipping).
    skipped: Mapped[dict[str, Any] | None]

    created_at: Mapped[float]
    # Of the request that made it, so that a repetition makes no second one.
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    fingerprint: Mapped[str | None] = mapped_column(String(64))

    __table_args__ = (
        UniqueConstraint(
            "tenant_id", "idempotency_key", name="uq_watches_tenant_id_idempotency_key"
        ),
        Index(
            "ix_watches_due",
            "next_at",
            postgresql_where=text("state <> 'paused'"),
            sqlite_where=text("state <> 'paused'"),
        ),
    )
