"""The tables of comparisons between two versions of a model, and of versions on trial.

`jobs.tables` has them too: that is where the other rooms import every table from.
"""

from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from jobs.tables.bases import Table


class Comparison(Table):
    """What two versions made of the same items: due when both jobs are over."""

    __tablename__ = "comparisons"

    # The later job, a rerun or a shadow, and the one that it is held against.
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    parent_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    # The lease on its computing (jobs.aftercare.comparison).
    fence: Mapped[int] = mapped_column("attempt", Integer, default=0, key="fence")
    until: Mapped[float | None]
    # Set at the end: figures, and the blob of the items that changed; or why there are none.
    report: Mapped[dict[str, Any] | None]
    changes: Mapped[str | None]
    failure: Mapped[str | None]
    created_at: Mapped[float]
    ended_at: Mapped[float | None]

    __table_args__ = (
        Index(
            "ix_comparisons_open",
            "job_id",
            postgresql_where=text("ended_at IS NULL"),
            sqlite_where=text("ended_at IS NULL"),
        ),
    )


class ModelShadow(Table):
    """A version that also runs on a sample of what comes in by an alias, and what came of it."""

    __tablename__ = "model_shadows"

    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    alias: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[int] = mapped_column(Integer)
    # Of the shards, 1 to 100.
    percent: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[float]

    # Sums over the jobs that were compared since then: items that both versions ran, how many of
    # them got the same answer, the similarity of the answers, and who could not run what.
    jobs: Mapped[int] = mapped_column(default=0)
    compared: Mapped[int] = mapped_column(default=0)
    same: Mapped[int] = mapped_column(default=0)
    similarity: Mapped[float] = mapped_column(default=0.0)
    errored_both: Mapped[int] = mapped_column(default=0)
    errored_before: Mapped[int] = mapped_column(default=0)
    errored_after: Mapped[int] = mapped_column(default=0)
    # Device seconds that the two versions took for those items.
    device_before_s: Mapped[float] = mapped_column(default=0.0)
    device_after_s: Mapped[float] = mapped_column(default=0.0)
    updated_at: Mapped[float | None]
