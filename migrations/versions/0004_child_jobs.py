"""Jobs have children, whose results are compared; versions run in the shadow; overlays."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_CHILD = sa.text("parent_id IS NOT NULL")
_OPEN = sa.text("ended_at IS NULL")

_KINDS = sa.Enum(
    "submitted",
    "rerun",
    "retry",
    "shadow",
    name="jobkind",
    native_enum=False,
    create_constraint=False,
    length=16,
)


def upgrade() -> None:
    op.add_column("jobs", sa.Column("kind", _KINDS, server_default="submitted", nullable=False))
    op.add_column("jobs", sa.Column("parent_id", sa.String(32), nullable=True))
    op.add_column(
        "jobs", sa.Column("overlays", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.create_index(
        "ix_jobs_parent_id", "jobs", ["parent_id"], postgresql_where=_CHILD, sqlite_where=_CHILD
    )
    _create_comparisons()
    _create_shadows()


def downgrade() -> None:
    op.drop_table("model_shadows")
    op.drop_index("ix_comparisons_parent_id", table_name="comparisons")
    op.drop_index("ix_comparisons_open", table_name="comparisons")
    op.drop_table("comparisons")
    op.drop_index("ix_jobs_parent_id", table_name="jobs")
    for name in ("overlays", "parent_id", "kind"):
        op.drop_column("jobs", name)


def _create_comparisons() -> None:
    op.create_table(
        "comparisons",
        sa.Column("job_id", sa.String(32), nullable=False),
        sa.Column("parent_id", sa.String(32), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("until", sa.Double(), nullable=True),
        sa.Column("report", sa.JSON(), nullable=True),
        sa.Column("changes", sa.Text(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_comparisons_job_id")),
        sa.ForeignKeyConstraint(["parent_id"], ["jobs.id"], name=op.f("fk_comparisons_parent_id")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_comparisons")),
    )
    op.create_index("ix_comparisons_parent_id", "comparisons", ["parent_id"])
    op.create_index(
        "ix_comparisons_open", "comparisons", ["job_id"], postgresql_where=_OPEN, sqlite_where=_OPEN
    )


def _create_shadows() -> None:
    counts = ("jobs", "compared", "same", "errored_both", "errored_before", "errored_after")
    sums = ("similarity", "device_before_s", "device_after_s")
    op.create_table(
        "model_shadows",
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("alias", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in counts),
        *(sa.Column(name, sa.Double(), nullable=False) for name in sums),
        sa.Column("updated_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("name", "alias", name=op.f("pk_model_shadows")),
    )
