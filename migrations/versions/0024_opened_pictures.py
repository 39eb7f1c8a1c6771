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
        sa.Column("job_id", sa.String(32), sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("first", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("tenant_id", sa.String(32), sa.ForeignKey("tenants.id"), nullable=False),
        sa.Column("asked_at", sa.Float(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.Float(), nullable=True),
        sa.Column("made_at", sa.Float(), nullable=True),
        sa.Column("blob", sa.String(), nullable=True),
    )
    op.create_index(
        "ix_opened_pictures_asked",
        "opened_pictures",
        ["asked_at"],
        postgresql_where=sa.text("made_at IS NULL"),
        sqlite_where=sa.text("made_at IS NULL"),
    )
    op.add_column("jobs", sa.Column("claimed_at", sa.Float(), nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "claimed_at")
    op.drop_table("opened_pictures")
