"""Tables of buckets: what a tenant may name, its credentials, and results on their way to one."""

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from jobs.base.states import OutputState
from jobs.tables.bases import Table

_OPEN = text("state IN ('waiting', 'writing')")


class BucketAllowance(Table):
    """A folder of a bucket that a tenant may name, at one endpoint; the operator's word."""

    __tablename__ = "bucket_allowances"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    # `s3://bucket/path`, without a slash at its end; it covers whole segments alone.
    prefix: Mapped[str]
    # Scheme, host and port; empty for the provider's own.
    endpoint: Mapped[str] = mapped_column(default="")
    # Whether results may be written there; it then lets nothing be read.
    writing: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[float]

    __table_args__ = (
        UniqueConstraint(
            "tenant_id",
            "prefix",
            "endpoint",
            "writing",
            name="uq_bucket_allowances_tenant_id_prefix_endpoint",
        ),
    )


class Connection(Table):
    """A tenant's own credentials for buckets, sealed with the operator's key."""

    __tablename__ = "connections"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    name: Mapped[str] = mapped_column(String(64))
    # s3, gs or az.
    kind: Mapped[str] = mapped_column(String(8))
    endpoint: Mapped[str] = mapped_column(default="")
    # Never shown: a Fernet token of JSON.
    sealed: Mapped[str]
    created_at: Mapped[float]

    __table_args__ = (UniqueConstraint("tenant_id", "name", name="uq_connections_tenant_id_name"),)


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
