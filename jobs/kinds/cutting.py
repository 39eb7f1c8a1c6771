"""How a job is cut into shards."""

from typing import Any

from jobs.base.states import ShardState

# Shards are at least so large in a job of many items, so that tables grow with shards alone.
_SMALLEST_OF_MANY = 256
_MANY = 50_000
# A small job is cut into about so many, so that its progress shows and several workers share it.
_SHARDS_OF_FEW = 8
_SMALLEST_OF_FEW = 32


def cut_shards(job_id: str, total: int, preferred: int) -> list[dict[str, Any]]:
    """Cut a job's items into shards; `preferred` is the model's number of items for one."""
    size = min(preferred, max(_SMALLEST_OF_FEW, -(-total // _SHARDS_OF_FEW)))
    if total > _MANY:
        size = max(size, _SMALLEST_OF_MANY)
    return [
        {
            "job_id": job_id,
            "first": first,
            "count": min(size, total - first),
            "state": ShardState.PENDING,
        }
        for first in range(0, total, size)
    ]


def only_shard(job_id: str) -> list[dict[str, Any]]:
    """Give the one shard of a job that is not cut."""
    return [{"job_id": job_id, "first": 0, "count": 1, "state": ShardState.PENDING}]
