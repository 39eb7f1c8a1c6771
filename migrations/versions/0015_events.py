"""What happens to a tenant's jobs is numbered, so that streams of events resume where they were."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_NUMBERS = ("created_event", "begun_event", "ended_event", "deleted_event", "last_event")


def upgrade() -> None:
    op.add_column(
        "tenants", sa.Column("events", sa.BigInteger(), nullable=False, server_default=sa.text("0"))
    )
    # What happened before has no number: nobody could have followed it.
    for name in _NUMBERS:
        op.add_column("jobs", sa.Column(name, sa.BigInteger(), nullable=True))
    op.create_index("ix_jobs_tenant_id_last_event", "jobs", ["tenant_id", "last_event"])


def downgrade() -> None:
    op.drop_index("ix_jobs_tenant_id_last_event", table_name="jobs")
    for name in reversed(_NUMBERS):
        op.drop_column("jobs", name)
    op.drop_column("tenants", "events")
