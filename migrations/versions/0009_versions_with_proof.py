"""Versions may come with a check, and keep what came of it."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("model_versions", sa.Column("check_blob", sa.Text(), nullable=True))
    op.add_column("model_versions", sa.Column("proof", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("model_versions", "proof")
    op.drop_column("model_versions", "check_blob")
