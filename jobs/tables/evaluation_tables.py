"""The table of evaluations: how good a version is on a tenant's own labelled items.

`jobs.tables` has it too: that is where the other rooms import every table from.
"""

from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from jobs.tables.bases import Table


class Evaluation(Table):
    """What the answers of a job are worth, held against the truth: due when the job is over."""

    __tablename__ = "evaluations"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    # Those of the job: a version's card is asked for far more often than it is evaluated.
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    model_name: Mapped[str] = mapped_column(String(255))
    model_version: Mapped[int] = mapped_column(Integer)
    # The uploaded file with the truth, a line an item; null where folders name it.
    truth_file_id: Mapped[str | None] = mapped_column(String(32))
    # The blob that the preparation made of it, a row an item.
    truth: Mapped[str | None]
    # The lease on its computing (jobs.aftercare.evaluation).
    fence: Mapped[int] = mapped_column("attempt", Integer, default=0, key="fence")
    until: Mapped[float | None]
    # Set at the end: counts and figures, in short and whole; or why there are none.
    summary: Mapped[dict[str, Any] | None]
    report: Mapped[dict[str, Any] | None]
    # The first of the items without an answer, by name; they go with the job's results.
    unanswered: Mapped[list[Any] | None]
    failure: Mapped[str | None]
    ended_at: Mapped[float | None]

    __table_args__ = (
        Index(
            "ix_evaluations_open",
            "job_id",
            postgresql_where=text("ended_at IS NULL"),
            sqlite_where=text("ended_at IS NULL"),
        ),
        Index("ix_evaluations_version", "tenant_id", "model_name", "model_version", "job_id"),
    )
