"""Every table, by its class; the rooms behind say which belongs to what.

job_tables.py         tenants, keys, files, jobs, shards
model_tables.py       versions, aliases, the log of changes
comparison_tables.py  comparisons, shadows
evaluation_tables.py  evaluations; training_tables.py  trainings
bucket_tables.py      allowances of buckets, connections
webhook_tables.py     endpoints of webhooks, deliveries
worker_tables.py      worker processes
bases.py              what all tables have in common
"""

from jobs.tables.bases import Table
from jobs.tables.bucket_tables import BucketAllowance, Connection
from jobs.tables.comparison_tables import Comparison, ModelShadow
from jobs.tables.evaluation_tables import Evaluation
from jobs.tables.job_tables import ApiKey, File, IdempotencyKey, Job, Shard, Tenant
from jobs.tables.model_tables import AuditEntry, ModelAlias, ModelVersion
from jobs.tables.training_tables import Training
from jobs.tables.webhook_tables import Delivery, WebhookEndpoint
from jobs.tables.worker_tables import WorkerProcess

__all__ = [
    "ApiKey",
    "AuditEntry",
    "BucketAllowance",
    "Comparison",
    "Connection",
    "Delivery",
    "Evaluation",
    "File",
    "IdempotencyKey",
    "Job",
    "ModelAlias",
    "ModelShadow",
    "ModelVersion",
    "Shard",
    "Table",
    "Tenant",
    "Training",
    "WebhookEndpoint",
    "WorkerProcess",
]
