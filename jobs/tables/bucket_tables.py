"""Tables of buckets: which a tenant may name, and the credentials that it has stored for them."""

from sqlalchemy import ForeignKey, String, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from jobs.tables.bases import Table


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
