"""Every table, by its class; what all have in common stands in bases.py.

job_tables.py         tenants, keys, files, jobs, shards
model_tables.py       versions, aliases, the log of changes
comparison_tables.py  comparisons, shadows
evaluation_tables.py  evaluations; training_tables.py: trainings
bucket_tables.py      allowances of buckets, connections, outputs; watch_tables.py: watches
upload_tables.py      uploads that resume; worker_tables.py: worker processes
webhook_tables.py     endpoints of webhooks, deliveries
access_tables.py      ended sessions, links that show a job, pictures that somebody opened
"""

from jobs.tables.access_tables import EndedSession, OpenedPictures, Share
from jobs.tables.bases import Requested, Table
from jobs.tables.bucket_tables import BucketAllowance, Connection, JobOutput
from jobs.tables.comparison_tables import Comparison, ModelShadow
from jobs.tables.evaluation_tables import Evaluation
from jobs.tables.job_tables import ApiKey, File, IdempotencyKey, Job, Shard, Tenant
from jobs.tables.model_tables import AuditEntry, ModelAlias, ModelVersion
from jobs.tables.training_tables import Training
from jobs.tables.upload_tables import Upload, UploadPart
from jobs.tables.watch_tables import Watch
from jobs.tables.webhook_tables import Delivery, WebhookEndpoint
from jobs.tables.worker_tables import WorkerProcess

__all__ = [
    "ApiKey",
    "AuditEntry",
    "BucketAllowance",
    "Comparison",
    "Connection",
    "Delivery",
    "EndedSession",
    "Evaluation",
    "File",
    "IdempotencyKey",
    "Job",
    "JobOutput",
    "ModelAlias",
    "ModelShadow",
    "ModelVersion",
    "OpenedPictures",
    "Requested",
    "Shard",
    "Share",
    "Table",
    "Tenant",
    "Training",
    "Upload",
    "UploadPart",
    "Watch",
    "WebhookEndpoint",
    "WorkerProcess",
]
