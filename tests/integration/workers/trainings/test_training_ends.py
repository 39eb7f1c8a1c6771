"""Trainings that lose their worker, are ended or deleted, or are given what is no data set."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

import pytest
import torch
from sqlalchemy import update

from jobs.aftercare.deletion import delete_job
from jobs.aftercare.retention import erase_due
from jobs.aftercare.tidying import tidy_due
from jobs.aftercare.uploaded_files import delete_file
from jobs.base.bootstrap import Ground
from jobs.base.states import JobStatus, Outcome, ShardState
from jobs.base.storage import Storage, training_name
from jobs.intake.trainings import Turn, end_turn, end_turn_through_outages, note_outcome, read_row
from jobs.queue.completion import cancel
from jobs.queue.quarantine import Suspect, must_run_alone
from jobs.queue.shard_leases import expire, take_back
from jobs.tables import Job, Shard, Training
from jobs.tenants.keys import NewKey
from models.training.fitting import Fit
from tests.integration.jobs.builders import claim_one
from tests.integration.jobs.checks import check_job, read_job, shards_of
from tests.integration.workers.conftest import with_
from tests.integration.workers.trainings.datasets import (
    blobs_of,
    hurried,
    submit_digits,
    versions_of,
)
from workers.engine.engine import Engine
from workers.engine.holding.flight import read_suspects

NewEngine = Callable[..., Engine]
PARAMS = {"top_k": 1, "min_confidence": 0.0}


def test_the_turn_of_a_dead_worker_is_lost_and_the_next_goes_on_at_its_checkpoint(
    ground: Ground, tenant: NewKey, new_engine: NewEngine, tmp_path: Path
) -> None:
    job = submit_digits(ground, tenant)
    engine = new_engine(hurried(ground))
    for _ in range(4):
        lease = claim_one(ground)
        engine._place_for_training.acquire()
        engine._run(lease)
    before = read_row(ground.database, job.id)
    assert blobs_of(ground, job) == [before.checkpoint]
    dead = claim_one(ground, "dead")
    assert take_back(ground.database, "dead", crashed=False) == 1
    new_engine(node="node-2", flight=tmp_path / "flight-2").drain()
    done = check_job(ground, job.id)
    assert done.status is JobStatus.COMPLETED
    assert before.progress is not None
    assert before.progress["step"] == 4
    assert dead.fence == 5
    assert versions_of(ground, job) == 1


def test_a_turn_that_was_taken_over_counts_for_nothing(ground: Ground, tenant: NewKey) -> None:
    job = submit_digits(ground, tenant)
    dead = claim_one(ground, "dead")
    take_back(ground.database, "dead")
    successor = claim_one(ground)
    late = Turn(training_name(job.id, dead.fence), {"epoch": 9})
    assert not end_turn(ground.database, dead, late, 1.0, 1.0)
    note_outcome(ground.database, dead, version=7)
    row = read_row(ground.database, job.id)
    assert (row.checkpoint, row.model_version) == (None, None)
    assert end_turn(ground.database, successor, Turn("blob", {"epoch": 1}), 1.0, 1.0)
    assert read_row(ground.database, job.id).checkpoint == "blob"


class RobbedStorage(Storage):
    """A store during whose first segment the lease goes to somebody else."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground.storage.url)
        self._database = ground.database
        self.robbed = 0

    def create(self, name: str) -> AbstractContextManager[BinaryIO]:
        if "/segments/" in name and not self.robbed:
            self.robbed = take_back(self._database, "node-1")
        return super().create(name)


def test_a_worker_that_is_lost_after_registering_makes_no_second_version(
    ground: Ground, tenant: NewKey, new_engine: NewEngine
) -> None:
    job = submit_digits(ground, tenant)
    storage = RobbedStorage(ground)
    assert new_engine(with_(ground, storage)).drain() == 3, "to train, and to register twice"
    assert storage.robbed == 1
    assert check_job(ground, job.id).status is JobStatus.COMPLETED
    assert versions_of(ground, job) == 1


class EndingStorage(Storage):
    """A store in which somebody ends the training while its weights are being written."""

    def __init__(self, ground: Ground, end: Callable[[], object]) -> None:
        super().__init__(ground.storage.url)
        self._end = end

    def put(self, name: str, chunks: Iterable[bytes]) -> None:
        super().put(name, chunks)
        if name.startswith("models/"):
            self._end()


@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_training_that_is_ended_in_its_last_moment_registers_nothing(
    ground: Ground, tenant: NewKey, new_engine: NewEngine, is_deleted: bool
) -> None:
    job = submit_digits(ground, tenant)

    def end() -> None:
        if is_deleted:
            delete_job(ground, tenant.tenant_id, job.id)
        else:
            cancel(ground.database, tenant.tenant_id, job.id)

    new_engine(with_(ground, EndingStorage(ground, end))).drain()
    assert read_job(ground, job.id).status is JobStatus.CANCELLED
    assert versions_of(ground, job) == 0
    assert list(ground.storage.list("models/")) == []


def test_a_damaged_checkpoint_ends_the_training_with_a_word(
    ground: Ground, tenant: NewKey, new_engine: NewEngine
) -> None:
    job = submit_digits(ground, tenant)
    lease = claim_one(ground)
    name = training_name(job.id, lease.fence)
    ground.storage.put(name, [b"\x10\0\0\0\0\0\0\0 no safetensors"])
    assert end_turn(ground.database, lease, Turn(name, {}), 1.0, 1.0)
    new_engine().drain()
    assert check_job(ground, job.id).outcome is Outcome.FAILED
    error = read_row(ground.database, job.id).error
    assert error is not None
    assert "cannot be read any more; train again" in error["message"]


def test_a_cancelled_training_ends_after_its_step_and_registers_nothing(
    ground: Ground, tenant: NewKey, new_engine: NewEngine
) -> None:
    job = submit_digits(ground, tenant)
    lease = claim_one(ground)
    assert cancel(ground.database, tenant.tenant_id, job.id).status is JobStatus.CANCELLING
    assert end_turn(ground.database, lease, Turn("blob", {}), 1.0, 1.0)
    done = check_job(ground, job.id)
    assert (done.status, done.cancelled) == (JobStatus.CANCELLED, 1)
    assert versions_of(ground, job) == 0
    assert new_engine().drain() == 0


def test_a_deleted_training_is_erased_with_all_it_held(
    ground: Ground, tenant: NewKey, new_engine: NewEngine
) -> None:
    job = submit_digits(ground, tenant)
    engine = new_engine(hurried(ground))
    engine._place_for_training.acquire()
    engine._run(claim_one(ground))
    assert len(blobs_of(ground, job)) == 1
    delete_job(ground, tenant.tenant_id, job.id)
    erase_due(ground)
    assert list(ground.storage.list(f"jobs/{job.id}/")) == []
    with ground.database.read() as session:
        assert session.get(Training, job.id) is None
        assert session.get_one(Job, job.id).params == {}


def test_a_turn_that_ends_after_its_training_was_deleted_counts_for_nothing(
    ground: Ground, tenant: NewKey
) -> None:
    job = submit_digits(ground, tenant)
    lease = claim_one(ground)
    delete_job(ground, tenant.tenant_id, job.id)
    late = Turn(training_name(job.id, lease.fence), {"epoch": 1})
    assert not end_turn_through_outages(ground.database, lease, late, 1.0, 1.0, lambda _: None)


def test_a_checkpoint_that_a_dead_worker_left_is_tidied_away(
    ground: Ground, tenant: NewKey, new_engine: NewEngine
) -> None:
    job = submit_digits(ground, tenant)
    dead = claim_one(ground, "dead")
    ground.storage.put(training_name(job.id, dead.fence), [b"left over"])
    take_back(ground.database, "dead")
    new_engine().drain()
    assert len(blobs_of(ground, job)) == 1
    with ground.database.write() as session:
        session.execute(update(Job).where(Job.id == job.id).values(tidy_at=0.0))
    tidy_due(ground)
    assert blobs_of(ground, job) == []
    check_job(ground, job.id)


@pytest.mark.parametrize(
    ("files", "word"),
    [
        ({"cats/1.png": b"", "cats/2.png": b""}, "only 'cats' was found"),
        ({"cats/1.png": b"1", "cats/2.png": b"2", "dogs/1.png": b"3"}, "'dogs' has 1 image"),
        ({"1.png": b"", "2.png": b""}, "none was found"),
        ({f"{name * 201}/{n}.png": b"1" for name in "ab" for n in "12"}, "201 characters"),
    ],
)
def test_what_is_no_data_set_fails_before_anything_is_trained(
    ground: Ground, tenant: NewKey, files: dict[str, bytes], word: str
) -> None:
    job = submit_digits(ground, tenant, files)
    assert job.status is JobStatus.FAILED
    assert job.errors is not None
    assert job.errors[0]["code"] == "bad_dataset"
    assert word in (job.status_reason or "")


def test_a_list_of_urls_is_no_data_set(ground: Ground, tenant: NewKey) -> None:
    lines = b'{"custom_id": "cats/1.png", "input": {"url": "http://127.0.0.1/1.png"}}\n'
    job = submit_digits(ground, tenant, content=lines)
    assert job.status is JobStatus.FAILED
    assert "is a URL" in (job.status_reason or "")


def test_a_bomb_of_a_zip_fails_before_anything_is_read(ground: Ground, tenant: NewKey) -> None:
    files = {f"{name}/{number}.png": bytes(20 * 2**20) for name in "ab" for number in range(2)}
    job = submit_digits(ground, tenant, files)
    assert job.status is JobStatus.FAILED
    assert job.errors is not None
    assert job.errors[0]["code"] == "archive_too_large"


def test_images_of_which_none_can_be_decoded_end_the_training_with_a_word(
    ground: Ground, tenant: NewKey, new_engine: NewEngine
) -> None:
    files = {f"{name}/{number}.png": b"no picture" for name in "ab" for number in range(4)}
    job = submit_digits(ground, tenant, files)
    new_engine().drain()
    done = check_job(ground, job.id)
    assert (done.status, done.outcome) == (JobStatus.COMPLETED, Outcome.FAILED)
    error = read_row(ground.database, job.id).error
    assert error is not None
    assert error["code"] == "bad_dataset"
    assert "No file of class 'a' is left" in error["message"]
    assert versions_of(ground, job) == 0


def test_a_data_set_that_is_deleted_meanwhile_ends_the_training_with_a_word(
    ground: Ground, tenant: NewKey, new_engine: NewEngine
) -> None:
    job = submit_digits(ground, tenant)
    delete_file(ground, tenant.tenant_id, job.input_file_id or "")
    new_engine().drain()
    error = read_row(ground.database, job.id).error
    assert error is not None
    assert "was deleted while" in error["message"]


def test_a_training_that_would_fill_the_memory_ends_before_it_takes_any(
    ground: Ground, tenant: NewKey, new_engine: NewEngine
) -> None:
    job = submit_digits(ground, tenant, recipe={"architecture": "torchvision/resnet18"})
    new_engine(with_(ground, training_memory=2**28)).drain()
    assert check_job(ground, job.id).outcome is Outcome.FAILED
    error = read_row(ground.database, job.id).error
    assert error is not None
    assert error["code"] == "training_failed"
    assert "a smaller batch" in error["message"]


def test_a_training_that_lacks_memory_is_tried_again_before_it_ends(
    ground: Ground, tenant: NewKey, new_engine: NewEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("others have it")

    job = submit_digits(ground, tenant)
    monkeypatch.setattr(Fit, "advance", full)
    engine = new_engine(with_(ground, max_attempts=2))
    engine.drain()
    (shard,) = shards_of(ground, job.id)
    assert (shard.state, shard.errors) == (ShardState.PENDING, 1)
    with ground.database.write() as session:
        session.execute(update(Shard).values(not_before=0.0))
    engine.drain()
    assert check_job(ground, job.id).outcome is Outcome.FAILED
    error = read_row(ground.database, job.id).error
    assert error is not None
    assert "smaller batch" in error["message"]


def test_a_training_that_computes_is_in_flight(
    ground: Ground,
    tenant: NewKey,
    new_engine: NewEngine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job, seen = submit_digits(ground, tenant), list[Suspect]()
    advance = Fit.advance

    def noted(self: Fit, is_time: Callable[[], bool]) -> None:
        seen.extend(read_suspects(tmp_path / "flight"))
        advance(self, is_time)

    monkeypatch.setattr(Fit, "advance", noted)
    new_engine(hurried(ground)).drain()
    (shard,) = shards_of(ground, job.id)
    assert set(seen) == {Suspect(shard.id, 0, 1)}


def test_a_death_is_forgotten_after_a_good_turn_and_the_next_runs_beside_others(
    ground: Ground, tenant: NewKey
) -> None:
    submit_digits(ground, tenant)
    dead = claim_one(ground, "dead")
    suspects = [Suspect(dead.shard_id, 0, 1)]
    take_back(ground.database, "dead", crashed=True, suspects=suspects)
    lease = claim_one(ground)
    assert must_run_alone(lease)
    assert end_turn(ground.database, lease, Turn("blob", {}), 1.0, 1.0)
    assert not must_run_alone(claim_one(ground))


def test_leases_that_ran_out_are_forgotten_after_a_good_turn(
    ground: Ground, tenant: NewKey
) -> None:
    job = submit_digits(ground, tenant)
    for _ in range(3):
        claim_one(ground)
        with ground.database.write() as session:
            session.execute(update(Shard).values(lease_until=1.0))
        assert expire(ground.database) == 1
    lease = claim_one(ground)
    assert lease.expiries == 3
    assert end_turn(ground.database, lease, Turn("blob", {}), 1.0, 1.0)
    (shard,) = shards_of(ground, job.id)
    assert (shard.state, shard.expiries) == (ShardState.PENDING, 0)
