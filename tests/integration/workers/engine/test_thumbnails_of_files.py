"""Small pictures go with the file that they were made of, whoever has it erased."""

import io
import zipfile
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import update

from jobs.aftercare.retention import erase_due
from jobs.aftercare.tidying import tidy_due
from jobs.aftercare.uploaded_files import delete_file, erase_expired_files
from jobs.base.bootstrap import Ground
from jobs.base.errors import NotFound
from jobs.inputs.files import store_file
from jobs.inputs.requests import Request
from jobs.intake.preparation import prepare_next
from jobs.results.thumbnails import read_thumbnail
from jobs.tables import File, Job, ModelVersion
from jobs.tenants.keys import NewKey
from tests.integration.jobs.builders import claim_one, submit_items
from tests.integration.jobs.checks import read_job
from tests.integration.jobs.test_retention import age
from tests.integration.jobs.test_tidying import make_due
from tests.integration.workers.engine.test_overlays import Labeller, NewStages, new_stages
from tests.integration.workers.engine.test_shards import run_with
from tests.integration.workers.fakes import picture

__all__ = ["new_stages"]

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def upload(ground: Ground, tenant: NewKey, content: bytes | None = None) -> File:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.png", picture(0))
        archive.writestr("b.png", picture(1))
    return store_file(ground, tenant.tenant_id, "a", "batch", [content or packed.getvalue()])


def submit(ground: Ground, tenant: NewKey, model: ModelVersion, file: File, **more: Any) -> Job:
    more = {"gallery": True, "requests": None, "input_file_id": file.id, **more}
    job = submit_items(ground, tenant, model, **more)
    prepare_next(ground)
    return job


def run(ground: Ground, stages: Any) -> None:
    assert run_with(stages, claim_one(ground), Labeller())


def shows(ground: Ground, job: Job, index: int = 0) -> bool:
    try:
        read_thumbnail(ground, read_job(ground, job.id), index)
    except NotFound:
        return False
    return True


def copies(ground: Ground, job: Job) -> list[str]:
    names = ground.storage.list(f"jobs/{job.id}/")
    return [name for name in names if "/thumbnails/" in name or "/pack-" in name]


def by_hand(ground: Ground, file: File) -> None:
    delete_file(ground, file.tenant_id, file.id)


def by_time(ground: Ground, file: File) -> None:
    with ground.database.write() as session:
        session.execute(update(File).where(File.id == file.id).values(expires_at=1.0))
    assert erase_expired_files(ground) == 1


def by_another_job(ground: Ground, _: File) -> None:
    assert erase_due(ground) == 1


@pytest.mark.parametrize("erase", [by_hand, by_time, by_another_job])
def test_small_pictures_go_with_the_file_that_they_were_made_of(
    ground: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    new_stages: NewStages,
    erase: Callable[[Ground, File], None],
) -> None:
    file, stages = upload(ground, tenant), new_stages()
    job = submit(ground, tenant, digits_model, file)
    run(ground, stages)
    other = submit(ground, tenant, digits_model, upload(ground, tenant))
    run(ground, stages)
    if erase is by_another_job:
        submit(ground, tenant, digits_model, file, delete_inputs=True)
        run(ground, stages)
    age(ground, job, 3600)
    assert shows(ground, job)
    erase(ground, file)
    assert not shows(ground, job), "also before the copies are erased"
    tidy_due(ground)
    assert copies(ground, job) == []
    assert shows(ground, other)
    assert copies(ground, other)


def test_a_job_that_runs_while_its_file_goes_loses_its_copies_after_its_end(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    line = b'{"input": {"data": "%s"}}' % b64encode(picture(0))
    file = upload(ground, tenant, line)
    job = submit(ground, tenant, digits_model, file)
    by_hand(ground, file)
    run(ground, new_stages())
    assert read_job(ground, job.id).completed == 1, "what it had copied by then is run"
    assert len(copies(ground, job)) == 2
    assert not shows(ground, job)
    assert read_job(ground, job.id).tidy_at is not None
    make_due(ground)
    tidy_due(ground)
    assert copies(ground, job) == []


def test_an_item_that_names_its_own_file_is_not_shown_once_that_is_gone(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    files = [upload(ground, tenant, picture(number)) for number in range(2)]
    requests = tuple(Request(file.id, file_id=file.id) for file in files)
    job = submit_items(ground, tenant, digits_model, requests=requests, gallery=True)
    prepare_next(ground)
    run(ground, new_stages())
    by_hand(ground, files[0])
    assert [shows(ground, job, index) for index in (0, 1)] == [False, True]
