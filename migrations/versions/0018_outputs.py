"""Results are written into buckets: who may, what a job asks for, and how far that is."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_OPEN = sa.text("state IN ('waiting', 'writing')")
_UNIQUE = "uq_bucket_allowances_tenant_id_prefix_endpoint"
_KEY = ("tenant_id", "prefix", "endpoint")


def upgrade() -> None:
    op.create_table(
        "job_outputs",
        sa.Column("job_id", sa.String(32), nullable=False),
        sa.Column("tenant_id", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.Double(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=True),
        sa.Column("bytes", sa.BigInteger(), nullable=True),
        sa.Column("manifest", sa.Text(), nullable=True),
        sa.Column("error_code", sa.String(32), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_outputs_job_id")),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_job_outputs_tenant_id")
        ),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_job_outputs")),
    )
    op.create_index(
        "ix_job_outputs_open",
        "job_outputs",
        ["until"],
        postgresql_where=_OPEN,
        sqlite_where=_OPEN,
    )
    op.add_column("jobs", sa.Column("output", sa.JSON(), nullable=True))
    # What was allowed until now was allowed to be read.
    with op.batch_alter_table("bucket_allowances") as batch:
        batch.add_column(
            sa.Column("writing", sa.Boolean(), server_default=sa.false(), nullable=False)
        )
        batch.drop_constraint(_UNIQUE, type_="unique")
        batch.create_unique_constraint(_UNIQUE, [*_KEY, "writing"])


def downgrade() -> None:
    op.execute("DELETE FROM bucket_allowances WHERE writing")
    with op.batch_alter_table("bucket_allowances") as batch:
        batch.drop_constraint(_UNIQUE, type_="unique")
        batch.create_unique_constraint(_UNIQUE, _KEY)
        batch.drop_column("writing")
    op.drop_column("jobs", "output")
    op.drop_table("job_outputs")
