"""Every metric of Pixelmill, by name. docs/metrics.md is held against this file by a test.

No label holds what a caller chose: no tenant, id, name or key. Each label has a few values, so that
a busy installation has no more series than an idle one. What is hot is counted by the chunk, the
batch or the shard, never by the item.
"""

from jobs.metrics.declaring import asked, counter, gauge, histogram

# From what a small picture takes to what a video does.
_SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)
_REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)

# The queue, from the database (jobs.metrics.queue_figures).
DATABASE_UP = asked(
    "pixelmill_database_up",
    "Whether the database answered this scrape; 0 leaves the queue's other figures out.",
)
QUEUE_SHARDS = asked("pixelmill_queue_shards", "Shards that wait for a worker.", "pool", "priority")
QUEUE_OLDEST = asked(
    "pixelmill_queue_oldest_seconds",
    "Age of the oldest job that has shards waiting.",
    "pool",
    "priority",
)
QUEUE_STANDSTILL = asked(
    "pixelmill_queue_standstill_seconds",
    "Longest time for which a job with shards waiting has seen none of them finished.",
    "pool",
    "priority",
)
SHARDS_LEASED = asked("pixelmill_shards_leased", "Shards that workers hold.", "pool")
JOBS = asked("pixelmill_jobs", "Jobs that are not over, by status.", "status")
DELIVERIES_PENDING = asked("pixelmill_deliveries_pending", "Webhook deliveries that are not over.")
DELIVERIES_OVERDUE = asked(
    "pixelmill_deliveries_overdue_seconds", "How long the most overdue delivery has been due."
)
WORKERS = asked(
    "pixelmill_workers",
    "Worker processes seen lately; state is `working` or `draining`.",
    "pool",
    "state",
)

# Jobs, items and the stages that they pass.
JOBS_ENDED = counter(
    "pixelmill_jobs_ended_total", "Jobs that this role has brought to their end.", "status"
)
ITEMS = counter(
    "pixelmill_items_total",
    "Items committed; outcome is `succeeded`, `errored`, `cancelled` or `expired`.",
    "task",
    "outcome",
)
STAGE_SECONDS = histogram(
    "pixelmill_stage_seconds",
    "Seconds in a stage: `prepare` of a job, and `queue` until its first shard is claimed; `read` "
    "from the storage or `fetch` from URLs and buckets, and `decode`, of a chunk of items or of a "
    "film; `batch_wait` and `infer` of a batch; `write` and `commit` of a shard; `webhook` of a "
    "try to deliver; `output` of a try to write results into a bucket.",
    "stage",
    buckets=_SECONDS,
)
BATCH_ITEMS = histogram("pixelmill_batch_items", "Samples of a batch.", "task", buckets=_SIZES)

# The device and what is loaded on it.
DEVICE_BUSY = counter(
    "pixelmill_device_busy_seconds_total",
    "Seconds that lanes of a device have computed; divided by its lanes, its busy share.",
    "place",
)
DEVICE_LANES = gauge(
    "pixelmill_device_lanes", "Batches that a device may compute at a time.", "place"
)
DEVICE_MEMORY = gauge(
    "pixelmill_device_memory_bytes",
    "Memory of a GPU, or of a process on the CPU; kind is `used` or `total`.",
    "place",
    "kind",
)
NETWORK_LOAD_SECONDS = histogram(
    "pixelmill_network_load_seconds", "Seconds to load a version's network.", buckets=_SECONDS
)
NETWORKS_EVICTED = counter(
    "pixelmill_networks_evicted_total", "Networks that left memory, as a rule for another one."
)

# What went wrong.
LEASES_EXPIRED = counter(
    "pixelmill_leases_expired_total", "Leases on shards that nobody renewed in time."
)
LEASES_LOST = counter(
    "pixelmill_leases_lost_total", "Shards that a worker was at when it heard that it lost them."
)
WORKER_DEATHS = counter(
    "pixelmill_worker_deaths_total",
    "Inference processes that ended unasked; how is `crash` or `end`.",
    "pool",
    "how",
)
DECODE_ERRORS = counter(
    "pixelmill_decode_errors_total",
    "Pictures that were not decoded, by format and the item's error code.",
    "format",
    "code",
)
DECODERS = gauge(
    "pixelmill_decoder_processes", "Decoder processes that live, by kind.", "kind", sums=True
)
DECODERS_STARTED = counter(
    "pixelmill_decoder_processes_started_total", "Decoder processes started, by kind.", "kind"
)
DECODERS_LOST = counter(
    "pixelmill_decoder_processes_lost_total",
    "Decoder processes that an item has cost; how is `crashed` or `too_long`.",
    "kind",
    "how",
)
FORK_SERVER_RESTARTS = counter(
    "pixelmill_fork_server_restarts_total", "Times that a fork server was found dead."
)
WEBHOOK_DELIVERIES = counter(
    "pixelmill_webhook_deliveries_total",
    "Tries to deliver a webhook; result is `delivered`, `refused` or `unreachable`.",
    "result",
)

# The API.
HTTP_REQUESTS = counter(
    "pixelmill_http_requests_total",
    "Requests answered, by the route's template.",
    "method",
    "route",
    "status",
)
HTTP_SECONDS = histogram(
    "pixelmill_http_request_seconds",
    "Seconds until an answer began; those that callers asked to be held are left out.",
    "route",
    buckets=_REQUEST_SECONDS,
)
HTTP_BYTES = counter(
    "pixelmill_http_bytes_total", "Bytes of bodies; direction is `in` or `out`.", "direction"
)
VERSION = gauge("pixelmill_version_info", "Always 1; the label names the version.", "version")
