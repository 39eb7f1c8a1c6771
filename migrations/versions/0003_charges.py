"""What a claim charged is kept with the shard, and no shard's id is given twice."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("shards", sa.Column("charged_s", sa.Double(), nullable=True))
    # PostgreSQL's sequences give no number twice; SQLite does, unless the table says otherwise.
    if op.get_bind().dialect.name == "sqlite":
        _rebuild(sqlite_autoincrement=True)


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _rebuild(sqlite_autoincrement=False)
    op.drop_column("shards", "charged_s")


def _rebuild(*, sqlite_autoincrement: bool) -> None:
    options = {"sqlite_autoincrement": sqlite_autoincrement}
    with op.batch_alter_table("shards", recreate="always", table_kwargs=options):
        pass
