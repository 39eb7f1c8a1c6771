"""Versions are tried out before they are used, aliases have canaries, and changes are recorded."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_VALIDATING = sa.text("state = 'validating'")
_ON_TRIAL = sa.text("canary_id IS NOT NULL")
_NEW_IN_ALIASES = ("canary", "canary_id", "canary_since", "last_canary")


def upgrade() -> None:
    _upgrade_versions()
    for column in (
        sa.Column("canary", sa.JSON(), nullable=True),
        sa.Column("canary_id", sa.String(length=32), nullable=True),
        sa.Column("canary_since", sa.Double(), nullable=True),
        sa.Column("last_canary", sa.JSON(), nullable=True),
    ):
        op.add_column("model_aliases", column)
    op.add_column("jobs", sa.Column("canary_id", sa.String(length=32), nullable=True))
    faults = sa.Column("faults", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    op.add_column("jobs", faults)
    op.create_index(
        "ix_jobs_canary",
        "jobs",
        ["canary_id", "model_version"],
        postgresql_where=_ON_TRIAL,
        sqlite_where=_ON_TRIAL,
    )
    op.add_column(
        "api_keys",
        sa.Column("admin", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.create_table(
        "audit_log",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("who", sa.String(length=64), nullable=False),
        sa.Column("tenant_id", sa.String(length=32), nullable=True),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )


def downgrade() -> None:
    op.drop_table("audit_log")
    op.drop_column("api_keys", "admin")
    op.drop_index("ix_jobs_canary", table_name="jobs")
    op.drop_column("jobs", "faults")
    op.drop_column("jobs", "canary_id")
    for name in _NEW_IN_ALIASES:
        op.drop_column("model_aliases", name)
    _downgrade_versions()


def _upgrade_versions() -> None:
    # What is registered already was tried out by the operator's command.
    for column in (
        sa.Column("author", sa.String(length=64), server_default="operator", nullable=False),
        sa.Column("state", sa.String(length=16), server_default="ready", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lease_until", sa.Double(), nullable=True),
        sa.Column("erased_at", sa.Double(), nullable=True),
    ):
        op.add_column("model_versions", column)
    with op.batch_alter_table("model_versions") as table:
        for name in ("author", "state", "attempt"):
            table.alter_column(name, server_default=None)
        # The same weights may bear other labels, or come again after a deletion.
        table.drop_constraint(op.f("uq_model_versions_name_digest"), type_="unique")
    op.create_index(
        "ix_model_versions_validating",
        "model_versions",
        ["created_at"],
        postgresql_where=_VALIDATING,
        sqlite_where=_VALIDATING,
    )


def _downgrade_versions() -> None:
    op.drop_index("ix_model_versions_validating", table_name="model_versions")
    # Of equal weights under one name the first version stays.
    op.execute(
        "DELETE FROM model_versions WHERE state <> 'ready' OR EXISTS (SELECT 1 FROM model_versions"
        " AS other WHERE other.name = model_versions.name AND other.digest = model_versions.digest"
        " AND other.state = 'ready' AND other.version < model_versions.version)"
    )
    with op.batch_alter_table("model_versions") as table:
        for name in ("erased_at", "lease_until", "attempt", "reason", "state", "author"):
            table.drop_column(name)
        table.create_unique_constraint(op.f("uq_model_versions_name_digest"), ["name", "digest"])
