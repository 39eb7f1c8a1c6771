"""Tables of who may look: sessions that are over before their time, and links that show a job."""

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from jobs.tables.bases import Table


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
