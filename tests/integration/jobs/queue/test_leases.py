"""One protocol for whatever is leased: each table that is described is held to the same."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import update

from jobs.aftercare.comparison import COMPARISONS
from jobs.aftercare.evaluation import EVALUATIONS
from jobs.base.bootstrap import Ground
from jobs.base.errors import BeingMade
from jobs.base.states import VersionState
from jobs.intake.preparation import PREPARATIONS
from jobs.intake.submission import Submission, submit
from jobs.leases.leased import Leased
from jobs.leases.leases import (
    Lease,
    LeaseLost,
    fail,
    hand_back,
    is_due,
    is_taken,
    lease_next,
    locked,
    renew,
)
from jobs.leases.renewing import Heart
from jobs.leases.working import work_on_next
from jobs.queue.completion import cancel
from jobs.queue.webhooks import DELIVERIES
from jobs.results.opened import OPENED, small_picture
from jobs.tables import Comparison, Evaluation, Job, ModelVersion, Table
from jobs.tenants.keys import NewKey
from jobs.versions.validation import VALIDATIONS
from tests.integration.jobs.builders import submit_items

Make = Callable[[Ground, NewKey, ModelVersion], object]


def waits_to_be_prepared(ground: Ground, tenant: NewKey, model: ModelVersion) -> None:
    said: dict[str, Any] = {"params": {}, "requested": {}, "pool": "cpu", "input_file_id": "file"}
    submit(ground, Submission(tenant_id=tenant.tenant_id, model=model, **said))


def waits_to_be_delivered(ground: Ground, tenant: NewKey, model: ModelVersion) -> None:
    webhook = {"url": "http://a.example/", "events": ["job.cancelled"]}
    job = submit_items(ground, tenant, model, webhook=webhook)
    cancel(ground.database, tenant.tenant_id, job.id)


def over(ground: Ground, tenant: NewKey, model: ModelVersion) -> Job:
    return cancel(ground.database, tenant.tenant_id, submit_items(ground, tenant, model).id)


def waits_to_be_compared(ground: Ground, tenant: NewKey, model: ModelVersion) -> None:
    before, after = over(ground, tenant, model), over(ground, tenant, model)
    with ground.database.write() as session:
        session.add(Comparison(job_id=after.id, parent_id=before.id, created_at=1.0))


def waits_to_be_evaluated(ground: Ground, tenant: NewKey, model: ModelVersion) -> None:
    job = over(ground, tenant, model)
    of_job = {"tenant_id": job.tenant_id, "model_name": model.name, "model_version": model.version}
    with ground.database.write() as session:
        session.add(Evaluation(job_id=job.id, **of_job))


def waits_to_be_validated(ground: Ground, tenant: NewKey, model: ModelVersion) -> None:
    with ground.database.write() as session:
        session.execute(update(ModelVersion).values(state=VersionState.VALIDATING))


def waits_to_be_opened(ground: Ground, tenant: NewKey, model: ModelVersion) -> None:
    with pytest.raises(BeingMade):
        small_picture(ground, submit_items(ground, tenant, model), 0)


CASES: list[tuple[Leased[Any], Make]] = [
    (PREPARATIONS, waits_to_be_prepared),
    (DELIVERIES, waits_to_be_delivered),
    (COMPARISONS, waits_to_be_compared),
    (EVALUATIONS, waits_to_be_evaluated),
    (VALIDATIONS, waits_to_be_validated),
    (OPENED, waits_to_be_opened),
]


@pytest.fixture(params=CASES, ids=[leased.name for leased, _ in CASES])
def leased(request, ground: Ground, tenant: NewKey, digits_model: ModelVersion) -> Leased[Any]:
    described, make = request.param
    make(ground, tenant, digits_model)
    return described


def taken(ground: Ground, leased: Leased[Any]) -> Lease[Any]:
    lease = lease_next(ground, leased)
    assert lease is not None
    return lease


def lapse(ground: Ground, leased: Leased[Any]) -> None:
    with ground.database.write() as session:
        session.execute(update(leased.table).values({leased.until: 1.0}))


def row_of(ground: Ground, lease: Lease[Any]) -> Table | None:
    with ground.database.write() as session:
        return locked(session, lease)


def test_a_row_is_leased_to_one_at_a_time(ground: Ground, leased: Leased[Any]) -> None:
    assert is_due(ground.database, leased)
    lease = taken(ground, leased)
    assert lease.fence == 1
    assert not is_due(ground.database, leased)
    assert is_taken(ground.database, leased, lease.key)
    assert lease_next(ground, leased) is None


def test_who_was_late_holds_nothing_any_more(ground: Ground, leased: Leased[Any]) -> None:
    late = taken(ground, leased)
    lapse(ground, leased)
    assert not is_taken(ground.database, leased, late.key)
    quick = taken(ground, leased)
    assert (quick.key, quick.fence) == (late.key, 2)
    assert row_of(ground, late) is None
    assert not renew(ground, late)
    assert not hand_back(ground, late)
    assert not fail(ground, late)
    assert row_of(ground, quick) is not None
    assert renew(ground, quick)


def test_what_is_renewed_does_not_lapse(ground: Ground, leased: Leased[Any]) -> None:
    lease = taken(ground, leased)
    lapse(ground, leased)
    assert renew(ground, lease)
    assert lease_next(ground, leased) is None


@pytest.mark.parametrize(("end", "attempts"), [(hand_back, 1), (fail, 2)])
def test_what_is_handed_back_costs_no_try_and_what_fails_costs_one(
    ground: Ground, leased: Leased[Any], end: Callable[..., bool], attempts: int
) -> None:
    assert end(ground, taken(ground, leased))
    assert not is_due(ground.database, leased), "it waits for a while"
    lapse(ground, leased)
    assert taken(ground, leased).attempts == attempts


def test_its_tries_are_counted(ground: Ground, leased: Leased[Any]) -> None:
    most = leased.max_attempts(ground.settings)
    for attempt in range(1, most + 2):
        lapse(ground, leased)
        lease = taken(ground, leased)
        assert lease.is_last(ground.settings) is (attempt >= most)
        assert lease.is_used_up(ground.settings) is (attempt > most)


def test_a_heart_beats_until_the_lease_is_lost(ground: Ground, leased: Leased[Any]) -> None:
    quick = Ground(
        ground.settings.model_copy(update={"renew_s": 0.0}),
        ground.database,
        ground.storage,
        ground.hints,
    )
    heart = Heart(quick, taken(ground, leased))
    lapse(ground, leased)
    heart.beat()
    assert lease_next(ground, leased) is None, "it was renewed"
    lapse(ground, leased)
    taken(ground, leased)
    with pytest.raises(LeaseLost):
        heart.beat()


def test_work_that_was_lost_ends_quietly(ground: Ground, leased: Leased[Any]) -> None:
    def work(_: Lease[Any]) -> None:
        raise LeaseLost

    assert work_on_next(ground, leased, work) is not None
    assert work_on_next(ground, leased, work) is None
