"""Why a job does not run, in words: what is true of it, and what to do where it is a fault."""

from dataclasses import dataclass, field

from jobs.base.states import JobStatus
from jobs.presence.workers import SIGN_S

_START = {
    "cpu": "start one: `python -m workers.launcher --workers 1`",
    "gpu": "start one: `python -m workers.launcher --gpus 0`",
    "io": "start one: `python -m workers.launcher --io`",
}


# A sign of life may come so late without anybody wondering.
LATE_S = SIGN_S + 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a job that is not over, and of who could work on it."""

    status: JobStatus
    is_ending: bool
    pool: str
    # Whether an io worker is at its preparation.
    is_prepared: bool = False
    pending: int = 0
    # How many of its shards each worker holds.
    held: dict[str, int] = field(default_factory=dict)
    # Seconds until the first of its waiting shards may be tried again; None when one may be now.
    rests_s: float | None = None
    # Live workers of its pool, those of them that are drained, and live io workers.
    workers: int = 0
    # Seconds since any of them was last heard of.
    silent_s: float = 0.0
    drained: int = 0
    io_workers: int = 0
    # Jobs that are served before it; None when it does not wait.
    before: int | None = None


def explain(facts: Facts) -> str:
    """Say in one or two sentences what a job waits for."""
    if facts.status is JobStatus.VALIDATING:
        return _while_validating(facts)
    held = sum(facts.held.values())
    if held:
        where = ", ".join(sorted(facts.held))
        doing = "It is being ended; left are" if facts.is_ending else "It runs:"
        return f"{doing} {_shards(held)} on {where}."
    if facts.is_ending:
        return "It is being ended; the sweeper closes it within seconds."
    if not facts.pending:
        return "All of its shards are done; it is about to close."
    return _while_waiting(facts)


def _while_validating(facts: Facts) -> str:
    if facts.is_prepared:
        return "An io worker lists its items."
    if not facts.io_workers:
        return f"Its items are not listed yet, and no io worker lives; {_START['io']}."
    return (
        "It waits for an io worker to list its items; those list the oldest job first, and at most "
        "four of one tenant at a time."
    )


def _while_waiting(facts: Facts) -> str:
    if not facts.workers:
        return f"No worker of pool {facts.pool} lives; {_START.get(facts.pool, 'start one')}."
    if facts.silent_s > LATE_S:
        who = "The only worker" if facts.workers == 1 else "The latest of the workers"
        return (
            f"{who} of pool {facts.pool} was last heard of {facts.silent_s:.0f} s ago: it may be "
            "gone, or cannot reach the database."
        )
    if facts.drained == facts.workers:
        drained = "The only worker" if facts.workers == 1 else f"All {facts.workers} workers"
        verb = "is" if facts.workers == 1 else "are"
        return (
            f"{drained} of pool {facts.pool} {verb} drained; `pixelmill admin resume NAME` lets "
            "one work again."
        )
    if facts.rests_s is not None:
        return (
            f"Its {_shards(facts.pending)} could not be run and are tried again in "
            f"{max(facts.rests_s, 0):.0f} s; the workers' logs say why (`shard_failed`, "
            "`shard_without_blob`)."
        )
    if facts.before:
        others = "1 job is" if facts.before == 1 else f"{facts.before} jobs are"
        return (
            f"{others} served before it, having used less of their tenants' shares or their own; a "
            "higher weight or priority moves it forward."
        )
    return "It is among the next in line, and waits for a worker to have a place free."


def _shards(count: int) -> str:
    return "1 shard" if count == 1 else f"{count} shards"
