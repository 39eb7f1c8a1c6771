"""Inputs that cannot be read, and what is told of them."""

import gzip
import io
import tarfile
from collections.abc import Iterator
from typing import Any, BinaryIO

import pytest
from sqlalchemy import select

from jobs.aftercare.uploaded_files import delete_file
from jobs.archives import Member, ReaderLost, Skipped
from jobs.base.bootstrap import Ground
from jobs.base.states import JobStatus
from jobs.base.storage import Storage, StorageError
from jobs.inputs.archive_items import InProcess
from jobs.intake.preparation import prepare_next
from jobs.tables import Delivery, ModelVersion
from jobs.tenants.keys import NewKey
from tests.integration.jobs.checks import check_job, read_job
from tests.integration.jobs.preparing import (
    Stopped,
    blobs_of,
    let_the_turn_run_out,
    lines,
    submit_file,
    with_storage,
    zipped,
)


class Ill(Storage):
    """Fails whenever an input is opened, as long as it is ill."""

    ill = True

    def open(self, name: str) -> BinaryIO:
        if self.ill and name.startswith("inputs/"):
            raise StorageError("the store is away")
        return super().open(name)


def test_a_corrupt_archive_fails_the_job_and_says_why(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    webhook = {"url": "https://example.com", "events": ["job.failed"]}
    cut = zipped(3)[:-10]
    job = submit_file(ground, tenant, digits_model, cut, webhook=webhook)
    assert prepare_next(ground) == job.id
    failed = check_job(ground, job.id)
    assert failed.status is JobStatus.FAILED
    assert failed.status_reason is not None
    assert failed.status_reason.startswith("photos: ")
    assert [fault["code"] for fault in failed.errors or []] == ["corrupt_archive"]
    assert blobs_of(ground, job) == []
    with ground.database.read() as session:
        (delivery,) = session.scalars(select(Delivery)).all()
    assert '"job.failed"' in delivery.body


def test_an_unpacked_tar_gz_that_is_refused_is_not_kept(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("._a.png"))
    job = submit_file(ground, tenant, digits_model, gzip.compress(buffer.getvalue()))
    prepare_next(ground)
    failed = read_job(ground, job.id)
    assert failed.status is JobStatus.FAILED
    assert [fault["code"] for fault in failed.errors or []] == ["empty_input"]
    assert blobs_of(ground, job) == []


@pytest.mark.parametrize("how", ["row", "bytes"])
def test_a_file_that_was_deleted_meanwhile_fails_the_job(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, how: str
) -> None:
    job = submit_file(ground, tenant, digits_model, zipped(3))
    if how == "row":
        delete_file(ground, tenant.tenant_id, job.input_file_id or "")
    else:
        ground.storage.delete([f"inputs/{tenant.tenant_id}/{job.input_file_id}"])
    prepare_next(ground)
    assert check_job(ground, job.id).status is JobStatus.FAILED


def test_a_store_that_is_away_for_long_costs_no_try(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_file(ground, tenant, digits_model, lines(40))
    ill = Ill(ground.storage.url)
    for _ in range(2 * ground.settings.max_turns):
        with pytest.raises(StorageError):
            prepare_next(with_storage(ground, ill))
        assert prepare_next(ground) is None, "there is a pause"
        let_the_turn_run_out(ground, job)
    ill.ill = False
    assert prepare_next(with_storage(ground, ill)) == job.id
    assert check_job(ground, job.id).total == 40


def test_an_input_that_ends_its_workers_is_given_up_after_some_tries(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_file(ground, tenant, digits_model, lines(4))
    for _ in range(ground.settings.max_turns):
        with pytest.raises(KeyboardInterrupt):
            prepare_next(with_storage(ground, Stopped(ground.storage.url)))
        let_the_turn_run_out(ground, job)
    assert prepare_next(ground) == job.id
    assert read_job(ground, job.id).status is JobStatus.FAILED
    assert "several tries" in (read_job(ground, job.id).status_reason or "")


class Dying(InProcess):
    """Archives whose reader dies so many times."""

    def __init__(self, deaths: int) -> None:
        self.deaths = deaths

    def walk(self, *args: Any) -> Iterator[Member | Skipped]:
        self.deaths -= 1
        if self.deaths >= 0:
            raise ReaderLost("corrupt_archive", "its reader died")
        return super().walk(*args)


def test_a_reader_that_died_is_not_held_against_a_good_archive(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_file(ground, tenant, digits_model, zipped(3))
    archives = Dying(deaths=2)
    for _ in range(2):
        assert prepare_next(ground, archives=archives) == job.id
        assert read_job(ground, job.id).status is JobStatus.VALIDATING
        assert prepare_next(ground) is None, "there is a pause"
        let_the_turn_run_out(ground, job)
    assert prepare_next(ground, archives=archives) == job.id
    assert check_job(ground, job.id).total == 3


def test_an_archive_whose_readers_all_die_is_refused_soon(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_file(ground, tenant, digits_model, zipped(3))
    for _ in range(3):
        assert prepare_next(ground, archives=Dying(deaths=1)) == job.id
        let_the_turn_run_out(ground, job)
    found = check_job(ground, job.id)
    assert found.status is JobStatus.FAILED
    assert found.errors[0]["code"] == "corrupt_archive"
