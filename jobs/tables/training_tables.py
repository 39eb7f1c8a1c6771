"""The table of trainings; see jobs.tables."""

from typing import Any

from sqlalchemy import ForeignKey, Integer
from sqlalchemy.orm import Mapped, mapped_column

from jobs.tables.bases import Table


class Training(Table):
    """What a job of kind `training` has beside its row: how far it is, and what came of it."""

    __tablename__ = "trainings"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    # The version of the job's model that came of it.
    model_version: Mapped[int | None] = mapped_column(Integer)
    # What callers are shown, as the last turn left it.
    progress: Mapped[dict[str, Any] | None]
    # The blob from which the next turn goes on.
    checkpoint: Mapped[str | None]
    # Why nothing came of it: `{code, message}`.
    error: Mapped[dict[str, Any] | None]
