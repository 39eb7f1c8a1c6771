"""A small job runs few statements: building and running one takes as long as part of a photo.

Whoever needs one more raises a number here, and measures what it does to `make bench`'s row of 200
jobs first.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, func, select

from jobs.aftercare.comparison import COMPARISONS
from jobs.aftercare.evaluation import EVALUATIONS
from jobs.base.bootstrap import Ground
from jobs.base.database import Database
from jobs.intake.preparation import prepare_next
from jobs.leases.leases import lease_next
from jobs.queue.endpoints import create_endpoint
from jobs.queue.reading import is_over
from jobs.queue.webhooks import EVENTS, lease_delivery
from jobs.tables import Delivery, ModelVersion
from jobs.tenants.audit import Actor
from jobs.tenants.keys import NewKey, create_key
from jobs.versions.validation import VALIDATIONS
from tests.integration.jobs.builders import claim_one, run_one, submit_items
from tests.integration.jobs.checks import read_job


@contextmanager
def statements_of(database: Database) -> Iterator[list[str]]:
    """Note the statements that are run in the block; what begins a transaction is none."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: Any) -> None:
        if not statement.startswith("BEGIN"):
            seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def test_a_submission_of_a_busy_tenant_runs_six_statements(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    submit_items(ground, tenant, digits_model)
    with statements_of(ground.database) as seen:
        submit_items(ground, tenant, digits_model)
    # The version and the time, two of where the job begins, the numbers of its events, the
    # job, its shards.
    assert len(seen) == 6, seen


def test_that_of_an_idle_tenant_runs_two_more_among_others(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    create_key(ground.database, "other")
    with statements_of(ground.database) as seen:
        submit_items(ground, tenant, digits_model)
    assert len(seen) == 8, seen


def test_a_claim_runs_five_statements(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    submit_items(ground, tenant, digits_model)
    with statements_of(ground.database) as seen:
        claim_one(ground)
    assert len(seen) == 5, seen


def test_a_commit_runs_five_statements_and_the_end_of_a_job_four_more(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model, count=64)
    counts = []
    while not is_over(ground.database, tenant.tenant_id, job.id):
        lease = claim_one(ground)
        with statements_of(ground.database) as seen:
            assert run_one(ground, lease)
        counts.append(len(seen))
    assert read_job(ground, job.id).completed == 64
    assert counts == [*[5] * (len(counts) - 1), 9], "the last one also ends the job"
    assert len(counts) > 1


@pytest.mark.parametrize("endpoints", [1, 3])
def test_the_end_of_a_job_tells_any_number_of_endpoints_by_one_more(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, endpoints: int
) -> None:
    actor = Actor("key_1", tenant.tenant_id)
    for number in range(endpoints):
        create_endpoint(ground, actor, f"https://example.org/{number}", EVENTS, "")
    submit_items(ground, tenant, digits_model, count=3)
    lease = claim_one(ground)
    with statements_of(ground.database) as seen:
        assert run_one(ground, lease)
    assert len(seen) == 10, seen
    with ground.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Delivery)) == endpoints


@pytest.mark.parametrize(
    "look",
    [
        prepare_next,
        lambda ground: lease_next(ground, COMPARISONS),
        lambda ground: lease_next(ground, EVALUATIONS),
        lambda ground: lease_next(ground, VALIDATIONS),
        lease_delivery,
    ],
    ids=["preparation", "comparison", "evaluation", "validation", "delivery"],
)
def test_who_finds_nothing_to_do_has_only_read(
    ground: Ground, look: Callable[[Ground], object]
) -> None:
    with statements_of(ground.database) as seen:
        assert look(ground) is None
    assert len(seen) == 1, seen
    assert seen[0].startswith("SELECT")
