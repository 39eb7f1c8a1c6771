"""Small pictures that are made when somebody opens one; when a job was first claimed."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "opened_pictures",
        sa.Column("job_id", sa.String(32), nullable=False),
        sa.Column("first", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("tenant_id", sa.String(32), nullable=False),
        sa.Column("asked_at", sa.Double(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.Double(), nullable=True),
        sa.Column("made_at", sa.Double(), nullable=True),
        sa.Column("blob", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("job_id", "first", name=op.f("pk_opened_pictures")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_opened_pictures_job_id")),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_opened_pictures_tenant_id")
        ),
    )
    op.create_index(
        "ix_opened_pictures_asked",
        "opened_pictures",
        ["asked_at"],
        postgresql_where=sa.text("made_at IS NULL"),
        sqlite_where=sa.text("made_at IS NULL"),
    )
    op.add_column("jobs", sa.Column("claimed_at", sa.Double(), nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "claimed_at")
    op.drop_table("opened_pictures")
