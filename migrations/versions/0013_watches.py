"""Folders of buckets are watched: their new objects become jobs."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_NOT_PAUSED = sa.text("state <> 'paused'")
_OF_WATCHES = sa.text("watch_id IS NOT NULL")
_OPEN = sa.text("watch_id IS NOT NULL AND ended_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "watches",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("tenant_id", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("source", sa.JSON(), nullable=False),
        sa.Column("requested", sa.JSON(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("only_new", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("interval_s", sa.Double(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.Double(), nullable=True),
        sa.Column("next_at", sa.Double(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("seen", sa.Text(), nullable=True),
        sa.Column("last_listed_at", sa.Double(), nullable=True),
        sa.Column("objects_seen", sa.BigInteger(), nullable=False),
        sa.Column("objects_waiting", sa.BigInteger(), nullable=False),
        sa.Column("jobs_created", sa.BigInteger(), nullable=False),
        sa.Column("skipped", sa.JSON(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("idempotency_key", sa.String(255), nullable=True),
        sa.Column("fingerprint", sa.String(64), nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_watches_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watches")),
        sa.UniqueConstraint(
            "tenant_id", "idempotency_key", name=op.f("uq_watches_tenant_id_idempotency_key")
        ),
    )
    op.create_index(
        "ix_watches_due",
        "watches",
        ["next_at"],
        postgresql_where=_NOT_PAUSED,
        sqlite_where=_NOT_PAUSED,
    )
    op.add_column("jobs", sa.Column("watch_id", sa.String(32), nullable=True))
    for name, columns, where in (
        ("ix_jobs_watch", ["watch_id", "id"], _OF_WATCHES),
        ("ix_jobs_watch_open", ["watch_id"], _OPEN),
    ):
        op.create_index(name, "jobs", columns, postgresql_where=where, sqlite_where=where)


def downgrade() -> None:
    op.drop_index("ix_jobs_watch_open", table_name="jobs")
    op.drop_index("ix_jobs_watch", table_name="jobs")
    op.drop_column("jobs", "watch_id")
    op.drop_table("watches")
