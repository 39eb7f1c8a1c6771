"""One look at the database for all streams of a process, in a thread that they need not have."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from jobs.base.database import Database
from jobs.events.glimpses import Glimpse, look
from jobs.tenants.keys import good_keys
from jobs.tenants.sessions import Visit, over


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be looked at: each tenant after a number, progress of some.

    Now and then also whether keys are still good, and sessions not over.
    """

    after: Mapping[str, int]
    jobs: frozenset[str] = frozenset()
    tenants: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    visits: frozenset[Visit] = frozenset()


@dataclass(frozen=True, slots=True)
class Found:
    """What a look has seen; of the plan, the keys that are good and the sessions that are over."""

    jobs: list[Glimpse]
    good_keys: frozenset[str] = field(default_factory=frozenset)
    over: frozenset[Visit] = field(default_factory=frozenset)


def carry_out(database: Database, plan: Plan) -> Found:
    """Look: one statement, and one more each where keys and sessions are to be checked."""
    with database.read() as session:
        jobs = look(session, plan.after, plan.jobs, tenants=plan.tenants)
        keys = good_keys(session, plan.keys) if plan.keys else frozenset[str]()
        ended = over(session, plan.visits, time.time()) if plan.visits else frozenset[Visit]()
        return Found(jobs, keys, ended)
