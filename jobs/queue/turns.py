"""Whose turn it is: the jobs that a claim may serve, the fairest first (see jobs.queue.scheduling).

A worker prefers a model that it holds: loading another one for every shard would cost more than it
gives. It may do so while the shares differ by less than one shard, so nobody waits longer for it.

The statements are built once: putting them together anew takes longer than running them.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Integer,
    and_,
    bindparam,
    case,
    exists,
    or_,
    select,
)

from jobs.kinds.table import KINDS
from jobs.tables import Table

PRIORITY_WEIGHTS = {"high": 16.0, "normal": 4.0, "low": 1.0}

# What a shard is cut to take, about (models.records.record, `shard_items`).
SHARD_S = 3.0
# How many tenants, and jobs of each, a claim looks at before it gives up: those in front may have
# only shards that another claim holds at this moment, or that wait out a pause.
_LOOK_AHEAD = 8

# The kinds of jobs that run in turns, and what one takes, about.
_TURNS_S = {word: kind.turn_s for word, kind in KINDS.items() if kind.turn_s is not None}

_jobs, _tenants = (Table.metadata.tables[name].c for name in ("jobs", "tenants"))

# The weight of a job's priority, in SQL.
priority_weight = case(PRIORITY_WEIGHTS, value=_jobs.priority)


def _may_run() -> ColumnElement[bool]:
    """Whether the worker may take a job: it gives turns to one at a time."""
    may_give: ColumnElement[bool] = bindparam("may_give_turns", type_=Boolean())
    return or_(and_(*(_jobs.kind != word for word in _TURNS_S)), may_give)


_TENANTS_IN_TURN = (
    select(_tenants.id, _tenants.share, _tenants.weight)
    .where(
        exists().where(
            _jobs.tenant_id == _tenants.id,
            _jobs.pool == bindparam("in_pool"),
            _jobs.pending_shards > 0,
            _may_run(),
        )
    )
    .order_by(_tenants.share, _tenants.id)
    .limit(bindparam("tenants", type_=Integer()))
)

_seen = _jobs.completed + _jobs.failed
_JOBS_IN_TURN = (
    select(
        _jobs.id,
        _jobs.priority,
        case(
            *((_jobs.kind == word, turn_s) for word, turn_s in _TURNS_S.items()),
            (_seen > 0, _jobs.device_s / _seen),
            else_=None,
        ),
        _jobs.share,
        _jobs.model_name,
        _jobs.model_version,
    )
    .where(
        _jobs.pool == bindparam("in_pool"),
        _jobs.tenant_id == bindparam("of_tenant"),
        _jobs.pending_shards > 0,
        _may_run(),
    )
    .order_by(_jobs.share, _jobs.id)
    .limit(_LOOK_AHEAD)
)


class Candidate(NamedTuple):
    """A job that a claim may serve.

    `item_s` are the device seconds of one of its items, None before any has run; of a job that runs
    in turns, those of a turn.
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


class Line(NamedTuple):
    """Who stands in line for a worker: the jobs of a pool, those in turns among them or not.

    Tenants in `passed_over` do not.
    """

    pool: str
    may_give_turns: bool = True
    passed_over: frozenset[str] = frozenset()

    @property
    def parameters(self) -> dict[str, Any]:
        """The same as parameters of the statements above."""
        tenants = _LOOK_AHEAD + len(self.passed_over)
        return {"in_pool": self.pool, "may_give_turns": self.may_give_turns, "tenants": tenants}


def in_turn(connection: Connection, line: Line, held: Collection[str]) -> Iterator[Candidate]:
    """Give the jobs that a claim may serve, the fairest first, unless a held model comes before."""
    found = connection.execute(_TENANTS_IN_TURN, line.parameters).all()
    tenants = [tenant for tenant in found if tenant.id not in line.passed_over]
    for place, tenant in enumerate(tenants):
        theirs = _candidates(connection, line, tenant.id)
        if place == 0 and theirs and held and theirs[0].model not in held:
            yield from _held_before(connection, line, held, tenants, theirs)
        yield from theirs


def _held_before(
    connection: Connection,
    line: Line,
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
        theirs = _candidates(connection, line, tenant.id)
        for job in theirs:
            if job.model in held and job.share - theirs[0].share < SHARD_S / job.weight:
                yield job
                return


def _candidates(connection: Connection, line: Line, tenant_id: str) -> list[Candidate]:
    rows = connection.execute(_JOBS_IN_TURN, {**line.parameters, "of_tenant": tenant_id}).all()
    return [
        Candidate(job_id, priority, item_s, share, f"{name}@{version}")
        for job_id, priority, item_s, share, name, version in rows
    ]
