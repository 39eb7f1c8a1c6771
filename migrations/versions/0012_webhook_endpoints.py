"""Tenants have endpoints that are told of every job; deliveries keep what was answered."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_OF_ENDPOINTS = sa.text("endpoint_id IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("tenant_id", sa.String(32), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("events", sa.JSON(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("old_secret", sa.Text(), nullable=True),
        sa.Column("old_secret_until", sa.Double(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_webhook_endpoints_tenant_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoints")),
    )
    op.create_index("ix_webhook_endpoints_tenant_id", "webhook_endpoints", ["tenant_id"])
    op.add_column("deliveries", sa.Column("endpoint_id", sa.String(32), nullable=True))
    op.add_column("deliveries", sa.Column("last_response", sa.Text(), nullable=True))
    # A ping is of no job.
    with op.batch_alter_table("deliveries") as table:
        table.alter_column("job_id", nullable=True)
    op.create_index("ix_deliveries_tenant_id_id", "deliveries", ["tenant_id", "id"])
    op.create_index(
        "ix_deliveries_endpoint_id",
        "deliveries",
        ["endpoint_id"],
        postgresql_where=_OF_ENDPOINTS,
        sqlite_where=_OF_ENDPOINTS,
    )


def downgrade() -> None:
    op.drop_index("ix_deliveries_endpoint_id", table_name="deliveries")
    op.drop_index("ix_deliveries_tenant_id_id", table_name="deliveries")
    # Earlier versions would send those of endpoints signed with another secret.
    op.execute("DELETE FROM deliveries WHERE job_id IS NULL OR endpoint_id IS NOT NULL")
    with op.batch_alter_table("deliveries") as table:
        table.alter_column("job_id", nullable=False)
        table.drop_column("last_response")
        table.drop_column("endpoint_id")
    op.drop_table("webhook_endpoints")
