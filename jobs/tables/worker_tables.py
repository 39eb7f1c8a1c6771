"""Worker processes, as they tell of themselves: who lives, at which version, and who is drained."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from jobs.tables.bases import Table


class WorkerProcess(Table):
    """One worker process, by the name that it holds leases under; its successor has the same."""

    __tablename__ = "workers"

    node: Mapped[str] = mapped_column(primary_key=True)
    pool: Mapped[str] = mapped_column(String(16))
    version: Mapped[str]
    started_at: Mapped[float]
    # Written every few seconds while it lives.
    seen_at: Mapped[float]
    # Set by an operator: from then on it claims nothing. Read before a claim, kept over restarts.
    drained_at: Mapped[float | None]
