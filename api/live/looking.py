"""One look at the database for all streams of a process, in a thread that they need not have."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jobs.base.database import Database
from jobs.events.glimpses import Glimpse, look
from jobs.tenants.keys import good_keys


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be looked at: each tenant after a number, progress of some, keys now and then."""

    after: Mapping[str, int]
    jobs: frozenset[str] = frozenset()
    tenants: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Found:
    """What a look has seen; `good_keys` are those of the plan's that were not revoked."""

    jobs: list[Glimpse]
    good_keys: frozenset[str] = field(default_factory=frozenset)


def carry_out(database: Database, plan: Plan) -> Found:
    """Look: one statement, and another where keys are to be checked."""
    with database.read() as session:
        jobs = look(session, plan.after, plan.jobs, tenants=plan.tenants)
        return Found(jobs, good_keys(session, plan.keys) if plan.keys else frozenset())
