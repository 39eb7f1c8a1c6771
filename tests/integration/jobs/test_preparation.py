"""An uploaded input becomes a job that runs, whatever happens to the worker that prepares it."""

import gzip
import io
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import pytest
from sqlalchemy import select

from jobs.base.bootstrap import Ground
from jobs.base.states import JobStatus
from jobs.base.storage import Storage
from jobs.intake.preparation import PREPARATIONS, prepare_next
from jobs.leases.leases import is_due
from jobs.queue.completion import cancel
from jobs.tables import ModelVersion, Shard
from jobs.tenants.keys import NewKey
from tests.integration.jobs.builders import claim_one, run_one
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
