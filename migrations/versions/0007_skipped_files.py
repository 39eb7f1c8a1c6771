"""Jobs say which files of their input became no item, and whether items have metadata."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("skipped", sa.JSON(), nullable=True))
    op.add_column(
        "jobs",
        sa.Column("has_item_metadata", sa.Boolean(), server_default=sa.false(), nullable=False),
    )


def downgrade() -> None:
    op.drop_column("jobs", "has_item_metadata")
    op.drop_column("jobs", "skipped")
