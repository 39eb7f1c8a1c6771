"""Tables of outputs: results on their way into a bucket, once a job is over."""

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from jobs.base.states import OutputState
from jobs.tables.bases import Table

_OPEN = text("state IN ('waiting', 'writing')")


class JobOutput(Table):
    """The writing of one job's results; inserted by the transaction that closes the job.

    What the job asked for, the address among it, is `Job.output`.
    """

    __tablename__ = "job_outputs"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    state: Mapped[OutputState]
    # The lease on it (jobs.outputs.leasing); `until` is also when it is due again.
    fence: Mapped[int] = mapped_column(default=0)
    until: Mapped[float]
    # What was written: rows, bytes of all parts, and the address of the manifest.
    rows: Mapped[int | None]
    bytes: Mapped[int | None]
    manifest: Mapped[str | None]
    # Why the last try failed; stays beside a state of `waiting`.
    error_code: Mapped[str | None] = mapped_column(String(32))
    error_message: Mapped[str | None]
    created_at: Mapped[float]
    ended_at: Mapped[float | None]

    __table_args__ = (
        Index("ix_job_outputs_open", "until", postgresql_where=_OPEN, sqlite_where=_OPEN),
    )
