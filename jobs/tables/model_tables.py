"""The tables of models: versions, the names that move between them, and who changed what.

A tenant's own models bear its id in their names (jobs.versions.names); all others are shared.
"""

from typing import Any

from sqlalchemy import Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from jobs.base.states import VersionState
from jobs.tables.bases import BigId, Table


class ModelVersion(Table):
    """An immutable trained model: its record, and where its weights lie.

    The row outlives the weights, so that a version's number is never given to another; only that of
    one that was refused, and so never ran, is written anew.
    """

    __tablename__ = "model_versions"

    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    digest: Mapped[str] = mapped_column(String(80))
    record: Mapped[dict[str, Any]]
    weights: Mapped[str]
    # Who registered it: the id of a key, or "operator".
    author: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[float]
    state: Mapped[VersionState]
    # Why it was refused.
    reason: Mapped[str | None]
    # The lease on its validation (jobs.versions.validation).
    fence: Mapped[int] = mapped_column("attempt", Integer, default=0, key="fence")
    lease_until: Mapped[float | None]
    # When the weights of a refused or deleted version were erased.
    erased_at: Mapped[float | None]
    # What it is still to be held against, and what came of that (models/proving).
    check_blob: Mapped[str | None]
    proof: Mapped[dict[str, Any] | None]

    @property
    def task(self) -> str:
        """What it does; empty while a worker has still to find out."""
        return self.record.get("task") or ""

    @property
    def labels(self) -> list[str]:
        """The names that `class_id` counts."""
        return list(self.record["labels"])

    @property
    def shard_items(self) -> int:
        """How many items it does best with in a shard."""
        return int(self.record["shard_items"])

    __table_args__ = (
        # Idle workers look here every few seconds.
        Index(
            "ix_model_versions_validating",
            "created_at",
            postgresql_where=text("state = 'validating'"),
            sqlite_where=text("state = 'validating'"),
        ),
    )


class ModelAlias(Table):
    """A movable name for a version, and the version that is on trial under it."""

    __tablename__ = "model_aliases"

    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    alias: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[int] = mapped_column(Integer)
    updated_at: Mapped[float]
    # The running trial: `{version, percent, max_error_rate, …}`, and the id that its jobs bear.
    canary: Mapped[dict[str, Any] | None]
    canary_id: Mapped[str | None] = mapped_column(String(32))
    canary_since: Mapped[float | None]
    # How the last one ended: `{version, outcome, reason, at, figures}`.
    last_canary: Mapped[dict[str, Any] | None]


class AuditEntry(Table):
    """One change, and who made it; written in the transaction of the change itself."""

    __tablename__ = "audit_log"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    at: Mapped[float]
    # The id of a key, or what acts for nobody: "operator", "worker", "sweeper".
    who: Mapped[str] = mapped_column(String(64))
    tenant_id: Mapped[str | None] = mapped_column(String(32))
    action: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str]
    details: Mapped[dict[str, Any]]
