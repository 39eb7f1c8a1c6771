"""Small pictures of items, and what the answers of a shard and of a job come to."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "jobs", sa.Column("gallery", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    for table in ("jobs", "shards"):
        op.add_column(table, sa.Column("summary", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    for table in ("shards", "jobs"):
        op.drop_column(table, "summary")
    op.drop_column("jobs", "gallery")
