"""Tables of who looks: sessions that were ended, links to jobs, pictures that were opened."""

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from jobs.tables.bases import Table

_OPEN = text("made_at IS NULL")


class EndedSession(Table):
    """A session that its owner has ended; its row is of no use once the session's time is over."""

    __tablename__ = "ended_sessions"

    nonce: Mapped[str] = mapped_column(String(32), primary_key=True)
    ends_at: Mapped[float] = mapped_column(index=True)


class Share(Table):
    """A link that shows one job until a time; what it is signed with is kept nowhere."""

    __tablename__ = "shares"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    # Whose it is: the link ends when this key is revoked.
    key_id: Mapped[str] = mapped_column(String(32))
    created_at: Mapped[float]
    expires_at: Mapped[float]
    revoked_at: Mapped[float | None]


class OpenedPictures(Table):
    """Small pictures of some consecutive items, made because somebody opened one of them."""

    __tablename__ = "opened_pictures"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    first: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    count: Mapped[int]
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    # The place in line: later than the moment where others of the tenant wait.
    asked_at: Mapped[float]
    # The lease on making them (jobs.results.opened). Once they are made: from when on those that
    # could not be read may be asked for anew; null where there are none of these.
    fence: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[float | None]
    # Null while they are still to be made.
    made_at: Mapped[float | None]
    # Where they lie; null where none could be made.
    blob: Mapped[str | None]

    __table_args__ = (
        Index("ix_opened_pictures_asked", "asked_at", postgresql_where=_OPEN, sqlite_where=_OPEN),
    )
