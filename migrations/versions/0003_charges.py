"""What a claim charged is kept with the shard."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("shards", sa.Column("charged_s", sa.Double(), nullable=True))


def downgrade() -> None:
    op.drop_column("shards", "charged_s")
