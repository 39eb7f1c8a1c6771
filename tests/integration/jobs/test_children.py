"""Children run the items that they are to run, and those of no job whose inputs are gone."""

import pytest

from jobs.aftercare.deletion import delete_job
from jobs.aftercare.retention import erase_due
from jobs.aftercare.uploaded_files import delete_file
from jobs.base.bootstrap import Ground
from jobs.base.errors import Conflict, InvalidRequest
from jobs.base.states import JobKind, JobStatus
from jobs.inputs.manifests import Manifest
from jobs.intake.children import check_rerun, retry_of
from jobs.intake.preparation import prepare_next
from jobs.intake.submission import submit
from jobs.queue.completion import cancel
from jobs.results.segments import ItemError
from jobs.tables import Job, ModelVersion
from jobs.tenants.keys import NewKey
from tests.integration.jobs.builders import (
    answer_all,
    claim_one,
    rerun,
    run_one,
    second_version,
    submit_items,
)
from tests.integration.jobs.checks import check_job, read_job
from tests.integration.jobs.test_retention import age, submit_file, upload

BROKEN = ItemError("image_decode_failed", "It is broken.")


def items_of(ground: Ground, job: Job) -> list[tuple[str, str, int]]:
    manifest = Manifest(ground.storage, read_job(ground, job.id).manifest or "")
    items = manifest.items(0, manifest.total)
    return [(item.custom_id, item.blob, item.offset) for item in items]


def retry(ground: Ground, parent: Job) -> Job:
    with ground.database.read() as session:
        submission = retry_of(session, read_job(ground, parent.id))
    job, _ = submit(ground, submission)
    assert prepare_next(ground) == job.id
    return job


def check(ground: Ground, parent: Job, version: ModelVersion) -> None:
    with ground.database.read() as session:
        check_rerun(session, read_job(ground, parent.id), version)


def test_a_rerun_has_the_items_of_its_parent_under_a_manifest_of_its_own(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    parent = submit_items(ground, tenant, digits_model, count=70)
    child = rerun(ground, parent, second_version(ground, digits_model, description="other"))
    assert items_of(ground, child) == items_of(ground, parent)
    child = read_job(ground, child.id)
    assert (child.kind, child.parent_id, child.model_version) == (JobKind.RERUN, parent.id, 2)
    assert child.manifest is not None
    assert child.manifest.startswith(f"jobs/{child.id}/")
    answer_all(ground, lambda _: [])
    for job in (parent, child):
        assert check_job(ground, job.id).status is JobStatus.COMPLETED


def test_a_retry_has_the_items_that_failed_and_no_other(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    parent = submit_items(ground, tenant, digits_model, count=70)
    answer_all(ground, lambda index: BROKEN if index in (3, 64) else [])
    child = retry(ground, parent)
    assert [name for name, _, _ in items_of(ground, child)] == ["item-3", "item-64"]
    assert read_job(ground, child.id).kind is JobKind.RETRY


def test_a_retry_has_the_items_that_never_ran_as_well(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    parent = submit_items(ground, tenant, digits_model, count=70)
    run_one(ground, claim_one(ground))
    cancel(ground.database, tenant.tenant_id, parent.id)
    child = retry(ground, parent)
    names = [name for name, _, _ in items_of(ground, child)]
    assert names == [f"item-{index}" for index in range(32, 70)]
    answer_all(ground, lambda _: [])
    assert check_job(ground, child.id).completed == 38


def test_a_job_that_runs_or_went_well_cannot_be_retried(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    parent = submit_items(ground, tenant, digits_model, count=3)
    with pytest.raises(Conflict, match="when it is over"):
        retry(ground, parent)
    answer_all(ground, lambda _: [])
    with pytest.raises(Conflict, match="nothing to retry"):
        retry(ground, parent)


def test_a_version_for_another_task_is_refused(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    parent = submit_items(ground, tenant, digits_model, count=3)
    other = second_version(ground, digits_model, task="detection")
    with pytest.raises(InvalidRequest, match="detection") as caught:
        check(ground, parent, other)
    assert caught.value.param == "model"


def test_a_job_whose_inputs_were_to_be_erased_is_not_run_again(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    parent = submit_items(ground, tenant, digits_model, count=3, delete_inputs=True)
    with pytest.raises(Conflict, match="delete_inputs"):
        check(ground, parent, digits_model)


def test_a_job_whose_file_was_deleted_is_not_run_again(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    file = upload(ground, tenant)
    parent = submit_file(ground, tenant, digits_model, file)
    check(ground, parent, digits_model)
    delete_file(ground, tenant.tenant_id, file.id)
    with pytest.raises(Conflict, match=file.id):
        check(ground, parent, digits_model)


def test_a_job_whose_time_is_over_is_not_run_again_and_neither_are_its_children(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    parent = submit_items(ground, tenant, digits_model, count=3)
    child = rerun(ground, parent, digits_model)
    answer_all(ground, lambda _: [])
    age(ground, parent, 31 * 86_400)
    assert erase_due(ground) == 1
    for job in (parent, child):
        with pytest.raises(Conflict, match=f"erased with job {parent.id}"):
            check(ground, job, digits_model)


def test_a_job_that_is_still_being_listed_is_not_run_again_yet(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    file = upload(ground, tenant)
    parent = submit_items(ground, tenant, digits_model, requests=None, input_file_id=file.id)
    with pytest.raises(Conflict, match="in_progress"):
        check(ground, parent, digits_model)


@pytest.mark.parametrize("way", ["deleted", "expired"])
def test_a_child_whose_parent_goes_before_its_items_were_listed_fails_with_a_word(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, way: str
) -> None:
    parent = submit_items(ground, tenant, digits_model, count=3)
    answer_all(ground, lambda _: BROKEN)
    with ground.database.read() as session:
        child, _ = submit(ground, retry_of(session, read_job(ground, parent.id)))
    if way == "deleted":
        delete_job(ground, tenant.tenant_id, parent.id)
    else:
        age(ground, parent, 31 * 86_400)
        erase_due(ground)
    assert prepare_next(ground) == child.id
    child = read_job(ground, child.id)
    assert child.status is JobStatus.FAILED
    assert parent.id in (child.status_reason or "")


def test_a_file_stays_while_a_child_needs_it(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    file = upload(ground, tenant)
    eraser = submit_file(ground, tenant, digits_model, file, delete_inputs=True)
    parent = submit_file(ground, tenant, digits_model, file)
    answer_all(ground, lambda _: [])
    child = rerun(ground, parent, digits_model)
    assert erase_due(ground) == 0
    answer_all(ground, lambda _: [])
    assert read_job(ground, child.id).status is JobStatus.COMPLETED
    assert erase_due(ground) == 1
    assert read_job(ground, eraser.id).inputs_erased_at is not None
