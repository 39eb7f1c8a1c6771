"""An uploaded input becomes a job that runs, whatever happens to the worker that prepares it."""

import dataclasses
import gzip
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import pytest
from sqlalchemy import select, update

from jobs.archives import Member, ReaderLost, Skipped
from jobs.base.bootstrap import Ground
from jobs.base.settings import load_settings
from jobs.base.states import JobStatus
from jobs.base.storage import Storage, StorageError
from jobs.inputs.archive_items import InProcess
from jobs.inputs.files import delete_file, store_file
from jobs.intake.preparation import PREPARATIONS, prepare_next
from jobs.leases.leases import is_due
from jobs.queue.completion import cancel
from jobs.tables import Delivery, Job, ModelVersion, Shard
from jobs.tenants.keys import NewKey
from tests.integration.jobs.builders import claim_one, run_one, submit_items
from tests.integration.jobs.checks import check_job, read_job


def with_storage(ground: Ground, storage: Storage, **settings: Any) -> Ground:
    """Give the same ground with another storage, and settings of its own."""
    kept = ground.settings.model_dump()
    return dataclasses.replace(
        ground, storage=storage, settings=load_settings(**{**kept, **settings})
    )


def submit_file(
    ground: Ground, tenant: NewKey, model: ModelVersion, content: bytes, **more: Any
) -> Job:
    file = store_file(ground, tenant.tenant_id, "photos", "batch", [content])
    return submit_items(ground, tenant, model, requests=None, input_file_id=file.id, **more)


def zipped(count: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(count):
            archive.writestr(f"{number:04}.png", b"image")
    return buffer.getvalue()


def lines(count: int) -> bytes:
    given = ({"custom_id": f"c{n}", "input": {"url": f"http://x/{n}"}} for n in range(count))
    return "\n".join(map(json.dumps, given)).encode()


def let_the_turn_run_out(ground: Ground, job: Job) -> None:
    with ground.database.write() as session:
        session.execute(update(Job).where(Job.id == job.id).values(prepare_until=1.0))


def blobs_of(ground: Ground, job: Job) -> list[str]:
    return sorted(
        name.split("/")[2].split("-")[0] for name in ground.storage.list(f"jobs/{job.id}")
    )


class Gate(Storage):
    """Stops whoever reads an input, once, until the test lets it go on."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.reached, self.free = threading.Event(), threading.Event()

    def open(self, name: str) -> BinaryIO:
        if name.startswith("inputs/") and not self.reached.is_set():
            self.reached.set()
            assert self.free.wait(30)
        return super().open(name)


class TwoGates(Gate):
    """Stops a second time, when every item has been written."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.at_end, self.end_free = threading.Event(), threading.Event()

    @contextmanager
    def create(self, name: str) -> Iterator[BinaryIO]:
        with super().create(name) as sink:
            yield sink
            if "/manifest-" in name:
                self.at_end.set()
                assert self.end_free.wait(30)


class Ill(Storage):
    """Fails whenever an input is opened, as long as it is ill."""

    ill = True

    def open(self, name: str) -> BinaryIO:
        if self.ill and name.startswith("inputs/"):
            raise StorageError("the store is away")
        return super().open(name)


class Stopped(Storage):
    """Dies like a process in the middle of the writing: nothing of ours is cleaned up."""

    def put(self, name: str, chunks: Any) -> None:
        super().put(name, chunks)

    def open(self, name: str) -> BinaryIO:
        if name.startswith("inputs/"):
            raise KeyboardInterrupt
        return super().open(name)


def test_an_uploaded_archive_becomes_a_job_that_runs(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_file(ground, tenant, digits_model, zipped(250))
    assert read_job(ground, job.id).status is JobStatus.VALIDATING
    assert is_due(ground.database, PREPARATIONS)
    assert prepare_next(ground) == job.id
    assert prepare_next(ground) is None
    assert not is_due(ground.database, PREPARATIONS)
    ready = check_job(ground, job.id)
    assert (ready.status, ready.total) == (JobStatus.IN_PROGRESS, 250)
    while ready.pending_shards:
        run_one(ground, claim_one(ground))
        ready = check_job(ground, job.id)
    assert ready.status is JobStatus.COMPLETED


def test_when_a_worker_dies_the_next_prepares_and_nothing_is_doubled(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_file(ground, tenant, digits_model, lines(100))
    dying = with_storage(ground, Stopped(ground.storage.url))
    with pytest.raises(KeyboardInterrupt):
        prepare_next(dying)
    assert prepare_next(ground) is None, "its turn is not over yet"
    let_the_turn_run_out(ground, job)
    assert prepare_next(ground) == job.id
    assert check_job(ground, job.id).total == 100
    assert read_job(ground, job.id).prepare_fence == 2


def test_a_late_worker_changes_nothing_and_leaves_nothing_behind(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in ("a", "b"):
            archive.addfile(tarfile.TarInfo(f"{name}.png"))
    job = submit_file(ground, tenant, digits_model, gzip.compress(buffer.getvalue()))
    gate = Gate(ground.storage.url)
    late = threading.Thread(target=prepare_next, args=[with_storage(ground, gate)])
    late.start()
    assert gate.reached.wait(30)
    let_the_turn_run_out(ground, job)
    assert prepare_next(ground) == job.id
    before, blobs = check_job(ground, job.id), blobs_of(ground, job)
    gate.free.set()
    late.join(30)
    after = check_job(ground, job.id)
    assert (after.manifest, after.total) == (before.manifest, 2)
    assert blobs_of(ground, job) == blobs == ["manifest", "pack"]


def start(ground: Ground, gate: Gate) -> threading.Thread:
    """Begin to prepare in a thread, and come back when it is at the gate."""
    eager = with_storage(ground, gate, renew_s=1e-9)
    thread = threading.Thread(target=prepare_next, args=[eager])
    thread.start()
    assert gate.reached.wait(30)
    return thread


def test_a_late_worker_does_not_begin_a_job_that_another_still_prepares(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_file(ground, tenant, digits_model, lines(50))
    gates = [TwoGates(ground.storage.url), TwoGates(ground.storage.url)]
    late = start(ground, gates[0])
    let_the_turn_run_out(ground, job)
    quick = start(ground, gates[1])
    for event in (gates[0].free, gates[0].end_free):
        event.set()
    late.join(30)
    assert not gates[0].at_end.is_set(), "it noticed on the way, and read no further"
    assert read_job(ground, job.id).status is JobStatus.VALIDATING
    assert read_job(ground, job.id).prepare_fence == 2
    for event in (gates[1].free, gates[1].end_free):
        event.set()
    quick.join(30)
    assert check_job(ground, job.id).total == 50
    assert blobs_of(ground, job) == ["manifest"]


def test_a_job_that_is_cancelled_while_it_is_prepared_stays_cancelled_and_leaves_nothing(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_file(ground, tenant, digits_model, lines(50))
    gate = TwoGates(ground.storage.url)
    preparing = start(ground, gate)
    cancel(ground.database, tenant.tenant_id, job.id)
    gate.free.set()
    gate.end_free.set()
    preparing.join(30)
    assert not gate.at_end.is_set()
    cancelled = check_job(ground, job.id)
    assert (cancelled.status, cancelled.total) == (JobStatus.CANCELLED, 0)
    assert blobs_of(ground, job) == []


def test_a_job_that_is_cancelled_when_all_is_written_leaves_nothing_either(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_file(ground, tenant, digits_model, lines(50))
    gate = TwoGates(ground.storage.url)
    preparing = start(ground, gate)
    gate.free.set()
    assert gate.at_end.wait(30)
    cancel(ground.database, tenant.tenant_id, job.id)
    gate.end_free.set()
    preparing.join(30)
    assert check_job(ground, job.id).status is JobStatus.CANCELLED
    assert blobs_of(ground, job) == []


def test_a_long_preparation_keeps_its_turn(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_file(ground, tenant, digits_model, lines(50))
    gate = TwoGates(ground.storage.url)
    slow = start(ground, gate)
    # Its turn is over by the clock, but nobody has taken it: the next beat renews it.
    let_the_turn_run_out(ground, job)
    gate.free.set()
    assert gate.at_end.wait(30)
    assert prepare_next(ground) is None
    gate.end_free.set()
    slow.join(30)
    assert check_job(ground, job.id).status is JobStatus.IN_PROGRESS
    assert read_job(ground, job.id).prepare_fence == 1


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


def test_jobs_are_prepared_in_the_order_of_their_coming(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    jobs = [submit_file(ground, tenant, digits_model, lines(2)) for _ in range(3)]
    assert [prepare_next(ground) for _ in jobs] == sorted(job.id for job in jobs)


def test_two_workers_never_prepare_the_same_job(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    jobs = {submit_file(ground, tenant, digits_model, lines(40)).id for _ in range(6)}
    done: list[str] = []

    def work() -> None:
        done.extend(iter(lambda: prepare_next(ground), None))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    while (late := prepare_next(ground)) is not None:
        done.append(late)
    assert sorted(done) == sorted(jobs)
    with ground.database.read() as session:
        assert len(session.scalars(select(Shard)).all()) == 2 * len(jobs)
