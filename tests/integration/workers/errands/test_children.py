"""A child whose parent goes while it runs loses its items with a clear word, and nothing else."""

from collections.abc import Callable

import pytest

from jobs.aftercare.deletion import delete_job
from jobs.aftercare.retention import erase_due
from jobs.base.bootstrap import Ground
from jobs.base.states import JobStatus
from jobs.tables import ModelVersion
from jobs.tenants.keys import NewKey
from tests.integration.jobs.builders import claim_one, rerun
from tests.integration.jobs.checks import check_job
from tests.integration.jobs.test_retention import age
from tests.integration.workers.engine.test_shards import run_with
from tests.integration.workers.fakes import FakeNetwork, answers_of, submit_numbers
from workers.engine.shard import Stages
from workers.errands.comparing import compare_next


@pytest.mark.parametrize("way", ["deleted", "expired"])
def test_items_that_have_not_run_when_the_parent_goes_are_missing(
    ground: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    new_stages: Callable[..., Stages],
    way: str,
) -> None:
    parent, stages = submit_numbers(ground, tenant, digits_model, 70), new_stages()
    for _ in range(3):
        run_with(stages, claim_one(ground), FakeNetwork())
    child = rerun(ground, parent, digits_model)
    run_with(stages, claim_one(ground), FakeNetwork())
    if way == "deleted":
        delete_job(ground, tenant.tenant_id, parent.id)
    else:
        age(ground, parent, 31 * 86_400)
        erase_due(ground)
    assert list(ground.storage.list(f"jobs/{parent.id}/")) == []
    for _ in range(2):
        run_with(stages, claim_one(ground), FakeNetwork())
    over = check_job(ground, child.id)
    assert (over.status, over.completed, over.failed) == (JobStatus.COMPLETED, 32, 38)
    numbers = [str(number) for number in range(32)]
    assert answers_of(ground, child) == numbers + ["input_missing"] * 38
    assert not compare_next(ground), "there is nothing to hold it against any more"
