"""Whose turn it is: the jobs that a claim may serve, the fairest first (see jobs.scheduling).

A worker prefers a model that it holds: loading another one for every shard would cost more than it
gives. It may do so while the shares differ by less than one shard, so nobody waits longer for it.

The statements are built once: putting them together anew takes longer than running them.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, case, exists, select

from jobs.tables import Table

PRIORITY_WEIGHTS = {"high": 16.0, "normal": 4.0, "low": 1.0}

# What a shard is cut to take, about (models.record, `shard_items`).
SHARD_S = 3.0

# How many tenants, and jobs of each, a claim looks at before it gives up: those in front may have
# only shards that another claim holds at this moment, or that wait out a pause.
_LOOK_AHEAD = 8

_jobs, _tenants = (Table.metadata.tables[name].c for name in ("jobs", "tenants"))

_TENANTS_IN_TURN = (
    select(_tenants.id, _tenants.share, _tenants.weight)
    .where(
        exists().where(
            _jobs.tenant_id == _tenants.id,
            _jobs.pool == bindparam("in_pool"),
            _jobs.pending_shards > 0,
        )
    )
    .order_by(_tenants.share, _tenants.id)
    .limit(_LOOK_AHEAD)
)

_seen = _jobs.completed + _jobs.failed
_JOBS_IN_TURN = (
    select(
        _jobs.id,
        _jobs.priority,
        case((_seen > 0, _jobs.device_s / _seen), else_=None),
        _jobs.share,
        _jobs.model_name,
        _jobs.model_version,
    )
    .where(
        _jobs.pool == bindparam("in_pool"),
        _jobs.tenant_id == bindparam("of_tenant"),
        _jobs.pending_shards > 0,
    )
    .order_by(_jobs.share, _jobs.id)
    .limit(_LOOK_AHEAD)
)


class Candidate(NamedTuple):
    """A job that a claim may serve.

    `item_s` are the device seconds of one of its items, None before any has run.
    """

    job_id: str
    priority: str
    item_s: float | None
    share: float
    model: str

    @property
    def weight(self) -> float:
        """The weight of the job's priority in its tenant's share."""
        return PRIORITY_WEIGHTS[self.priority]


def in_turn(connection: Connection, pool: str, held: Collection[str]) -> Iterator[Candidate]:
    """Give the jobs that a claim may serve, the fairest first, unless a held model comes before."""
    tenants = connection.execute(_TENANTS_IN_TURN, {"in_pool": pool}).all()
    for place, tenant in enumerate(tenants):
        found = _candidates(connection, pool, tenant.id)
        if place == 0 and found and held and found[0].model not in held:
            yield from _held_before(connection, pool, held, tenants, found)
        yield from found


def _held_before(
    connection: Connection,
    pool: str,
    held: Collection[str],
    tenants: Sequence[Any],
    first: list[Candidate],
) -> Iterator[Candidate]:
    """Give the fairest job with a held model, if it comes less than a shard after the fairest."""
    for job in first:
        if job.model in held and job.share - first[0].share < SHARD_S / job.weight:
            yield job
            return
    for tenant in tenants[1:]:
        if tenant.share - tenants[0].share >= SHARD_S / tenant.weight:
            return
        theirs = _candidates(connection, pool, tenant.id)
        for job in theirs:
            if job.model in held and job.share - theirs[0].share < SHARD_S / job.weight:
                yield job
                return


def _candidates(connection: Connection, pool: str, tenant_id: str) -> list[Candidate]:
    rows = connection.execute(_JOBS_IN_TURN, {"in_pool": pool, "of_tenant": tenant_id}).all()
    return [
        Candidate(job_id, priority, item_s, share, f"{name}@{version}")
        for job_id, priority, item_s, share, name, version in rows
    ]
