"""What is to be erased is erased, when it is due, and nothing else."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import update

from jobs.aftercare.retention import erase_due
from jobs.base.bootstrap import Ground
from jobs.base.errors import NotFound
from jobs.base.storage import Storage, StorageError
from jobs.inputs.files import get_file, store_file
from jobs.intake.preparation import prepare_next
from jobs.queue.scheduling import claim
from jobs.queue.turns import Line
from jobs.tables import File, Job, ModelVersion
from jobs.tenants.keys import NewKey
from tests.integration.jobs.builders import run_one, submit_items
from tests.integration.jobs.checks import read_job

JSONL = b'{"input": {"url": "http://x/1"}}'


def upload(ground: Ground, tenant: NewKey) -> File:
    return store_file(ground, tenant.tenant_id, "lines", "batch", [JSONL])


def submit_file(
    ground: Ground, tenant: NewKey, model: ModelVersion, file: File, **more: Any
) -> Job:
    job = submit_items(ground, tenant, model, requests=None, input_file_id=file.id, **more)
    assert prepare_next(ground) == job.id
    return job


def run_all(ground: Ground) -> None:
    while (lease := claim(ground.database, Line("cpu"), "node", 30)) is not None:
        run_one(ground, lease)


def age(ground: Ground, job: Job, seconds: float) -> None:
    with ground.database.write() as session:
        aged = update(Job).where(Job.id == job.id)
        session.execute(aged.values(ended_at=Job.ended_at - seconds))


def kinds_of(ground: Ground, job: Job) -> set[str]:
    return {name.split("/")[2].split("-")[0] for name in ground.storage.list(f"jobs/{job.id}/")}


def has_file(ground: Ground, tenant: NewKey, file: File) -> bool:
    with ground.database.read() as session:
        try:
            get_file(session, tenant.tenant_id, file.id)
        except NotFound:
            return False
    assert file.blob in list(ground.storage.list("inputs/"))
    return True


def test_inline_inputs_are_erased_once_the_job_is_over_and_results_stay(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model, count=3, delete_inputs=True)
    assert erase_due(ground) == 0
    assert kinds_of(ground, job) == {"manifest", "pack"}
    run_all(ground)
    assert erase_due(ground) == 1
    assert kinds_of(ground, job) == {"manifest", "segments"}
    assert read_job(ground, job.id).inputs_erased_at is not None
    assert erase_due(ground) == 0


def test_inputs_stay_unless_their_erasure_was_asked_for(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model, count=3)
    run_all(ground)
    assert erase_due(ground) == 0
    assert "pack" in kinds_of(ground, job)


def test_an_uploaded_file_goes_when_the_last_job_that_needs_it_is_over(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    file = upload(ground, tenant)
    first = submit_file(ground, tenant, digits_model, file, delete_inputs=True)
    run_all(ground)
    second = submit_file(ground, tenant, digits_model, file)
    assert erase_due(ground) == 0
    assert has_file(ground, tenant, file)
    run_all(ground)
    assert erase_due(ground) == 1
    assert not has_file(ground, tenant, file)
    assert file.blob not in list(ground.storage.list("inputs/"))
    assert read_job(ground, first.id).inputs_erased_at is not None
    assert read_job(ground, second.id).inputs_erased_at is not None, "it ran the same file"


def test_inputs_that_are_still_needed_keep_no_other_erasure_waiting(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    shared, own = upload(ground, tenant), upload(ground, tenant)
    blocked = [
        submit_file(ground, tenant, digits_model, shared, delete_inputs=True) for _ in range(22)
    ]
    run_all(ground)
    submit_file(ground, tenant, digits_model, shared)
    with ground.database.write() as session:
        session.execute(update(Job).where(Job.ended_at.is_(None)).values(pending_shards=0))
    free = submit_file(ground, tenant, digits_model, own, delete_inputs=True)
    run_all(ground)
    age(ground, blocked[0], 31 * 86_400)
    erase_due(ground)
    assert not has_file(ground, tenant, own)
    assert read_job(ground, free.id).inputs_erased_at is not None
    assert kinds_of(ground, blocked[0]) == set(), "its outputs do not wait for its inputs"
    assert has_file(ground, tenant, shared)


@pytest.mark.parametrize(("asked", "days"), [(None, 30), (3600, 3600 / 86_400)])
def test_outputs_are_erased_after_their_time(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, asked: int | None, days: float
) -> None:
    job = submit_items(ground, tenant, digits_model, count=3, output_expires_after=asked)
    other = submit_items(ground, tenant, digits_model, count=3)
    run_all(ground)
    age(ground, job, days * 86_400 - 60)
    assert erase_due(ground) == 0
    assert kinds_of(ground, job) == {"manifest", "pack", "segments"}
    age(ground, job, 61)
    assert erase_due(ground) == 1
    assert kinds_of(ground, job) == set()
    assert read_job(ground, job.id).outputs_erased_at is not None
    assert kinds_of(ground, other) == {"manifest", "pack", "segments"}
    assert erase_due(ground) == 0


class Stubborn(Storage):
    """Refuses to delete what lies under a prefix."""

    prefix = ""

    def delete(self, names: Sequence[str]) -> None:
        if any(name.startswith(self.prefix) for name in names):
            raise StorageError("permission denied")
        super().delete(names)


def test_an_erasure_that_fails_stays_due_and_keeps_no_other_waiting(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    jobs = [
        submit_items(ground, tenant, digits_model, count=3, delete_inputs=True) for _ in range(3)
    ]
    run_all(ground)
    stubborn = Stubborn(ground.storage.url)
    stubborn.prefix = f"jobs/{jobs[0].id}/"
    erase_due(dataclasses.replace(ground, storage=stubborn))
    erased = [read_job(ground, job.id).inputs_erased_at is not None for job in jobs]
    assert erased == [False, True, True]
    assert erase_due(ground) == 1


def test_an_open_inline_job_keeps_nobodys_inputs_from_being_erased(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    ended = submit_items(ground, tenant, digits_model, delete_inputs=True)
    run_all(ground)
    submit_items(ground, tenant, digits_model)
    erase_due(ground)
    assert read_job(ground, ended.id).inputs_erased_at is not None
    assert erase_due(ground) == 0
