"""Jobs take their items from buckets: whose a tenant may name, and by which credentials."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bucket_allowances",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("tenant_id", sa.String(32), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_bucket_allowances_tenant_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bucket_allowances")),
        sa.UniqueConstraint(
            "tenant_id",
            "prefix",
            "endpoint",
            name=op.f("uq_bucket_allowances_tenant_id_prefix_endpoint"),
        ),
    )
    op.create_table(
        "connections",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("tenant_id", sa.String(32), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_connections_tenant_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connections")),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("uq_connections_tenant_id_name")),
    )
    op.add_column("jobs", sa.Column("source", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "source")
    op.drop_table("connections")
    op.drop_table("bucket_allowances")
