"""Worker processes tell that they live, and read whether they are to claim anything."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "workers",
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("pool", sa.String(16), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("started_at", sa.Double(), nullable=False),
        sa.Column("seen_at", sa.Double(), nullable=False),
        sa.Column("drained_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("node", name=op.f("pk_workers")),
    )


def downgrade() -> None:
    op.drop_table("workers")
