"""The tables. Times are seconds since 1970 (UTC) by the database's clock; sizes are bytes.

    tenants ──< api_keys
       ├──< files
       ├──< jobs ──< shards          one row a shard, never one an item
       │      ├──< deliveries        one row an event and receiver (jobs.tables.webhook_tables)
       │      ├──  comparisons       one row a rerun or shadow (jobs.tables.comparison_tables)
       │      ├──  job_outputs       one row an output (jobs.tables.bucket_tables)
       │      ├──  evaluations       one row an evaluation (jobs.tables.evaluation_tables)
       │      └──  trainings         one row a training (jobs.tables.training_tables)
       ├──< idempotency_keys
       ├──< webhook_endpoints                 in jobs.tables.webhook_tables
       ├──< bucket_allowances, connections    in jobs.tables.bucket_tables
       └──< watches                           in jobs.tables.watch_tables
    model_versions, model_aliases, audit_log    in jobs.tables.model_tables
    model_shadows                               in jobs.tables.comparison_tables
    workers                                     in jobs.tables.worker_tables

Only `jobs` (the package) touches these; nothing here knows what the rows mean.
"""

from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, String, false, text
from sqlalchemy.orm import Mapped, mapped_column

from jobs.base.states import ItemStatus, JobKind, JobStatus, Outcome, ShardState
from jobs.base.traces.spans import LONGEST
from jobs.tables.bases import BigId, Table


class Tenant(Table):
    """Who owns jobs, files and keys."""

    __tablename__ = "tenants"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    weight: Mapped[float] = mapped_column(default=1.0)
    # Stride scheduling: device seconds used so far, over the weight.
    share: Mapped[float] = mapped_column(default=0.0)
    # Signs the webhooks of jobs that name no secret of their own.
    webhook_secret: Mapped[str]
    # How much has happened to its jobs: the number of the last event (jobs.events).
    events: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    created_at: Mapped[float]


class ApiKey(Table):
    """A key's hash; the secret itself is shown once, at creation, and kept nowhere."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), index=True)
    name: Mapped[str] = mapped_column(default="")
    secret_sha256: Mapped[str] = mapped_column(String(64))
    # An operator's: it may change what all tenants share.
    admin: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[float]
    revoked_at: Mapped[float | None]


class File(Table):
    """Bytes that a tenant uploaded."""

    __tablename__ = "files"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    filename: Mapped[str]
    purpose: Mapped[str]
    bytes: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    blob: Mapped[str]
    created_at: Mapped[float]
    # When the sweeper erases it, unless a job that runs still needs it; null for never.
    expires_at: Mapped[float | None]

    __table_args__ = (
        Index("ix_files_tenant_id_id", "tenant_id", "id"),
        Index(
            "ix_files_expires_at",
            "expires_at",
            postgresql_where=text("expires_at IS NOT NULL"),
            sqlite_where=text("expires_at IS NOT NULL"),
        ),
    )


class Job(Table):
    """What a caller submitted, where it stands, and its counts."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    # Where it comes from; a child's items are its parent's (jobs.intake.children), whose
    # row never goes.
    kind: Mapped[JobKind] = mapped_column(
        default=JobKind.SUBMITTED, server_default=JobKind.SUBMITTED.value
    )
    parent_id: Mapped[str | None] = mapped_column(String(32))
    status: Mapped[JobStatus]
    outcome: Mapped[Outcome | None]
    status_reason: Mapped[str | None]
    errors: Mapped[list[Any] | None]
    # The files of the input that became no item (jobs.inputs.skipping); null where there were none.
    skipped: Mapped[dict[str, Any] | None]
    # Whether the manifest has metadata of items, for results to show.
    has_item_metadata: Mapped[bool] = mapped_column(default=False, server_default=false())

    # What the caller asked for, in the caller's words (jobs.tables.bases.Requested).
    requested: Mapped[dict[str, Any]]
    # What runs: pinned at submission, so that no job ever mixes versions.
    model_name: Mapped[str]
    model_version: Mapped[int]
    model_digest: Mapped[str]
    # The trial that it came into, whichever of the two versions it was given
    # (jobs.versions.canaries).
    canary_id: Mapped[str | None] = mapped_column(String(32))
    pool: Mapped[str] = mapped_column(String(16))
    params: Mapped[dict[str, Any]]
    priority: Mapped[str] = mapped_column(String(8))

    # What it runs on.
    input_file_id: Mapped[str | None] = mapped_column(String(32))
    # Where in a bucket its items lie (jobs.buckets.sources); null for any other input.
    source: Mapped[dict[str, Any] | None]
    # The watch that found them; no foreign key, for jobs stay when it is deleted.
    watch_id: Mapped[str | None] = mapped_column(String(32))
    manifest: Mapped[str | None]
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata")
    webhook: Mapped[dict[str, Any] | None]
    # Where in a bucket the results are to be written when it is over (jobs.outputs).
    output: Mapped[dict[str, Any] | None]
    completion_window: Mapped[str | None]
    output_expires_after: Mapped[int | None]
    delete_inputs: Mapped[bool] = mapped_column(default=False)
    # Whether each result is also to be drawn over its image or frames (jobs.results.overlays).
    overlays: Mapped[bool] = mapped_column(default=False, server_default=false())
    # Whether a small picture of each item is kept beside its result (jobs.results.thumbnails).
    gallery: Mapped[bool] = mapped_column(default=False, server_default=false())
    # What its answers come to, as far as somebody has looked (jobs.results.summaries). Not loaded
    # with the row.
    summary: Mapped[bytes | None] = mapped_column(deferred=True)
    # The span that submitted it, which its own go below (jobs.base.traces); null without a trace.
    traceparent: Mapped[str | None] = mapped_column(String(LONGEST))

    # The lease on its preparation (jobs.intake.preparation).
    prepare_fence: Mapped[int] = mapped_column("prepare_attempt", default=0, key="prepare_fence")
    prepare_until: Mapped[float | None]

    # Counts of items; `total` less the others is what is still being processed.
    total: Mapped[int] = mapped_column(default=0)
    completed: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    # Of the failed ones, those that no input is to blame for.
    faults: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    cancelled: Mapped[int] = mapped_column(default=0)
    expired: Mapped[int] = mapped_column(default=0)

    # Scheduling: how many shards wait, the job's share of its tenant's time, what it used.
    pending_shards: Mapped[int] = mapped_column(default=0)
    share: Mapped[float] = mapped_column(default=0.0)
    device_s: Mapped[float] = mapped_column(default=0.0)
    # The number of the last commit: results are read in this order.
    commits: Mapped[int] = mapped_column(default=0)
    # Set while the job is being ended early: what items that never ran are called.
    ending: Mapped[ItemStatus | None]

    created_at: Mapped[float]
    in_progress_at: Mapped[float | None]
    # When a worker first claimed a shard of it: until then it was queued.
    claimed_at: Mapped[float | None]
    last_progress_at: Mapped[float | None]
    cancelling_at: Mapped[float | None]
    ended_at: Mapped[float | None]
    expires_at: Mapped[float]
    # When its inputs were erased, or the file that they came in; then when its results were.
    inputs_erased_at: Mapped[float | None]
    outputs_erased_at: Mapped[float | None]
    # Set when the caller deleted the job: it is shown to nobody, and erased once it is over.
    deleted_at: Mapped[float | None]
    # When blobs that no shard names are to be looked for; only set where there may be some.
    tidy_at: Mapped[float | None]

    # The numbers of what has happened to it, in its tenant's order (jobs.events), and the last one.
    created_event: Mapped[int | None]
    begun_event: Mapped[int | None]
    ended_event: Mapped[int | None]
    deleted_event: Mapped[int | None]
    last_event: Mapped[int | None]

    @property
    def request_counts(self) -> dict[str, int]:
        """The counts as every face of Pixelmill shows them: they always add up to `total`."""
        ended = self.completed + self.failed + self.cancelled + self.expired
        return {
            "total": self.total,
            "completed": self.completed,
            "failed": self.failed,
            "processing": self.total - ended,
            "cancelled": self.cancelled,
            "expired": self.expired,
        }

    __table_args__ = (
        Index("ix_jobs_tenant_id_id", "tenant_id", "id"),
        Index("ix_jobs_tenant_id_last_event", "tenant_id", "last_event"),
        Index(
            "ix_jobs_parent_id",
            "parent_id",
            postgresql_where=text("parent_id IS NOT NULL"),
            sqlite_where=text("parent_id IS NOT NULL"),
        ),
        # The claim reads only these rows: a job with nothing to hand out is not in the index.
        Index(
            "ix_jobs_runnable",
            "pool",
            "tenant_id",
            "share",
            postgresql_where=text("pending_shards > 0"),
            sqlite_where=text("pending_shards > 0"),
        ),
        # The sweeper and the preparation read only jobs that are not over.
        Index(
            "ix_jobs_open",
            "status",
            "expires_at",
            postgresql_where=text("ended_at IS NULL"),
            sqlite_where=text("ended_at IS NULL"),
        ),
        Index(
            "ix_jobs_deleted",
            "deleted_at",
            postgresql_where=text("deleted_at IS NOT NULL AND outputs_erased_at IS NULL"),
            sqlite_where=text("deleted_at IS NOT NULL AND outputs_erased_at IS NULL"),
        ),
        Index(
            "ix_jobs_canary",
            "canary_id",
            "model_version",
            postgresql_where=text("canary_id IS NOT NULL"),
            sqlite_where=text("canary_id IS NOT NULL"),
        ),
        Index(
            "ix_jobs_watch",
            "watch_id",
            "id",
            postgresql_where=text("watch_id IS NOT NULL"),
            sqlite_where=text("watch_id IS NOT NULL"),
        ),
        # What a watch has still to do is counted over these alone.
        Index(
            "ix_jobs_watch_open",
            "watch_id",
            postgresql_where=text("watch_id IS NOT NULL AND ended_at IS NULL"),
            sqlite_where=text("watch_id IS NOT NULL AND ended_at IS NULL"),
        ),
        Index(
            "ix_jobs_untidy",
            "tidy_at",
            postgresql_where=text("tidy_at IS NOT NULL"),
            sqlite_where=text("tidy_at IS NOT NULL"),
        ),
    )


class Shard(Table):
    """A run of consecutive items: the unit of scheduling, leasing, retry and commit."""

    __tablename__ = "shards"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    first: Mapped[int]
    count: Mapped[int]
    state: Mapped[ShardState]
    # A commit counts only under the number of the latest lease (jobs.leases).
    fence: Mapped[int] = mapped_column("attempt", Integer, default=0, key="fence")
    owner: Mapped[str | None]
    lease_until: Mapped[float | None]
    # Device seconds that the latest claim charged for it.
    charged_s: Mapped[float | None]
    # Why earlier attempts ended: the process died, the lease ran out, the worker said so.
    deaths: Mapped[int] = mapped_column(Integer, default=0)
    expiries: Mapped[int] = mapped_column(Integer, default=0)
    errors: Mapped[int] = mapped_column(Integer, default=0)
    not_before: Mapped[float] = mapped_column(default=0.0)
    # Set by the commit.
    segment: Mapped[str | None]
    commit_number: Mapped[int | None]
    # What its answers come to (jobs.results.summaries); null before its commit, and of a shard that
    # an earlier version ran. Not loaded with the row.
    summary: Mapped[bytes | None] = mapped_column(deferred=True)

    __table_args__ = (
        Index(
            "ix_shards_pending",
            "job_id",
            "first",
            postgresql_where=text("state = 'pending'"),
            sqlite_where=text("state = 'pending'"),
        ),
        Index(
            "ix_shards_leased",
            "lease_until",
            postgresql_where=text("state = 'leased'"),
            sqlite_where=text("state = 'leased'"),
        ),
        Index("ix_shards_job_id_commit_number", "job_id", "commit_number"),
        # An id is never given twice: a worker may still hold that of a shard which was deleted.
        {"sqlite_autoincrement": True},
    )


class IdempotencyKey(Table):
    """The first request under a key, and the answer that any repetition gets."""

    __tablename__ = "idempotency_keys"

    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    created_at: Mapped[float]
