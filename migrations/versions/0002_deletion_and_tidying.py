"""Jobs can be deleted, and blobs that nobody names are looked for."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_DELETED = sa.text("deleted_at IS NOT NULL AND outputs_erased_at IS NULL")
_UNTIDY = sa.text("tidy_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("jobs", sa.Column("deleted_at", sa.Double(), nullable=True))
    op.add_column("jobs", sa.Column("tidy_at", sa.Double(), nullable=True))
    op.create_index(
        "ix_jobs_deleted",
        "jobs",
        ["deleted_at"],
        postgresql_where=_DELETED,
        sqlite_where=_DELETED,
    )
    op.create_index(
        "ix_jobs_untidy", "jobs", ["tidy_at"], postgresql_where=_UNTIDY, sqlite_where=_UNTIDY
    )


def downgrade() -> None:
    op.drop_index("ix_jobs_untidy", table_name="jobs")
    op.drop_index("ix_jobs_deleted", table_name="jobs")
    op.drop_column("jobs", "tidy_at")
    op.drop_column("jobs", "deleted_at")
