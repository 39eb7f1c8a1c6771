"""One shard's way through the stages, with networks that fail in every way there is."""

import dataclasses
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import update

from jobs.base.bootstrap import Ground
from jobs.base.database import Database
from jobs.base.states import ItemStatus, JobStatus, ShardState
from jobs.base.storage import Storage, StorageError
from jobs.inputs.requests import Request
from jobs.queue.completion import cancel, expire_overdue
from jobs.queue.scheduling import ShardLease
from jobs.queue.shard_leases import expire, hand_back
from jobs.tables import Job, ModelVersion
from jobs.tenants.keys import NewKey
from tests.integration.jobs.builders import claim_one, run_one, submit_items
from tests.integration.jobs.checks import check_job, read_job, shards_of
from tests.integration.workers.fakes import (
    FakeNetwork,
    answers_of,
    manifest_of,
    numbers,
    rows_of_job,
    run_with,
    submit_contents,
    submit_numbers,
)
from workers.egress import EgressError
from workers.engine.holding.keeper import Keeper
from workers.engine.shard import ShardRun
from workers.engine.stages import Stages

# What a database does differently is tested with the room that asks it, in integration/jobs.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

NewStages = Callable[..., Stages]


class Told(ShardRun):
    """A run that lets a test wait until it has been told to stop."""

    def __init__(self, stages: Stages, lease: ShardLease) -> None:
        super().__init__(stages, lease)
        self.told = threading.Event()

    def stop(self, why: Any) -> None:
        super().stop(why)
        self.told.set()


def segments_of(ground: Ground, job: Job) -> list[str]:
    return list(ground.storage.list(f"jobs/{job.id}/segments"))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RuntimeError("a bug of the decoder"), "internal_error"),
        (ValueError("a bug of ours"), "internal_error"),
        (MemoryError(), "out_of_memory"),
    ],
)
def test_whatever_a_decoder_raises_costs_one_item(
    ground: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    new_stages: NewStages,
    error: Exception,
    code: str,
) -> None:
    def buggy(data: bytes) -> None:
        if data == b"3":
            raise error

    job = submit_numbers(ground, tenant, digits_model, 8)
    assert run_with(new_stages(), claim_one(ground), FakeNetwork(on_prepare=buggy))
    expected = numbers(8)
    assert answers_of(ground, job) == [*expected[:3], code, *expected[4:]]


def test_a_shard_of_nothing_but_bad_items_ends_without_the_device(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    job = submit_contents(ground, tenant, digits_model, [b"bad"] * 5)
    network = FakeNetwork()
    assert run_with(new_stages(), claim_one(ground), network)
    assert answers_of(ground, job) == ["image_decode_failed"] * 5
    assert network.batches == []


@pytest.mark.parametrize("how", ["cancel", "deadline"])
def test_a_job_that_is_ended_stops_its_running_shard_within_a_batch(
    ground: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    new_stages: NewStages,
    how: str,
) -> None:
    job = submit_numbers(ground, tenant, digits_model, 32)
    lease = claim_one(ground)
    run = Told(new_stages(depth=2), lease)

    def end_the_job(_: list[int]) -> None:
        if run.told.is_set():
            return
        if how == "cancel":
            cancel(ground.database, tenant.tenant_id, job.id)
        else:
            with ground.database.write() as session:
                session.execute(update(Job).values(expires_at=1.0))
            expire_overdue(ground.database)
        assert run.told.wait(20)

    keeper = Keeper(ground.database, "node-1", ground.settings)
    keeper.hold(run)
    network = FakeNetwork(max_batch=2, on_forward=end_the_job)
    assert run.run(network, manifest_of(ground, lease))
    keeper.release(run)
    keeper.close()
    ended = check_job(ground, job.id)
    expected = JobStatus.CANCELLED if how == "cancel" else JobStatus.EXPIRED
    assert ended.status is expected
    assert network.batches == [2], "what was decoded already is not run"
    assert ended.completed == 2
    assert ended.completed + ended.cancelled + ended.expired == 32
    last = rows_of_job(ground, job)[-1]
    assert last.status is (ItemStatus.CANCELLED if how == "cancel" else ItemStatus.EXPIRED)


def test_the_result_of_a_lost_lease_is_discarded_with_its_segment(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    job = submit_numbers(ground, tenant, digits_model, 8)
    slow = claim_one(ground, "slow", lease_s=-1)

    def meanwhile(_: list[int]) -> None:
        expire(ground.database)
        assert run_one(ground, claim_one(ground, "quick"))

    assert not run_with(new_stages(), slow, FakeNetwork(on_forward=meanwhile))
    done = check_job(ground, job.id)
    assert (done.completed, done.commits) == (8, 1)
    assert len(segments_of(ground, job)) == 1
    assert all(row.attempts == 2 for row in rows_of_job(ground, job))


@pytest.mark.parametrize("awaited", ["storage", "database"])
def test_waiting_for_storage_or_database_is_no_stall(
    ground: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    new_stages: NewStages,
    awaited: str,
) -> None:
    class Slow(Storage):
        def ranges(self, *given: Any) -> Any:
            seen.append(run.moved_at)
            return super().ranges(*given)

    class Busy(Database):
        def write(self) -> Any:
            seen.append(run.moved_at)
            return super().write()

    seen: list[float] = []
    submit_numbers(ground, tenant, digits_model, 8)
    lease = claim_one(ground)
    here = dataclasses.replace(ground, storage=Slow(ground.storage.url))
    if awaited == "database":
        here = dataclasses.replace(ground, database=Busy(ground.settings.database_url))
    run = ShardRun(new_stages(here), lease)
    assert run.run(FakeNetwork(), manifest_of(ground, lease))
    assert seen
    assert min(seen) > time.monotonic() + 60, "a call may take its time"
    assert not run.is_waiting


@pytest.mark.parametrize("outputs", ["rows of a tensor", "a list"])
def test_a_result_that_cannot_be_put_together_costs_its_item(
    ground: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    new_stages: NewStages,
    outputs: str,
) -> None:
    class Picky(FakeNetwork):
        def forward(self, samples: Any) -> Any:
            rows = super().forward(samples)
            return list(rows) if outputs == "a list" else rows

        def postprocess(self, given: Any, params: Any) -> Any:
            if any(int(each) == 3 for each in given):
                raise ValueError("three is no answer")
            return super().postprocess(given, params)

    job = submit_numbers(ground, tenant, digits_model, 8)
    assert run_with(new_stages(), claim_one(ground), Picky())
    expected = numbers(8)
    assert answers_of(ground, job) == [*expected[:3], "internal_error", *expected[4:]]


def test_what_was_handed_back_counts_as_no_attempt(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    job = submit_numbers(ground, tenant, digits_model, 8)
    assert hand_back(ground.database, claim_one(ground))
    again = claim_one(ground)
    assert again.fence == 2, "the fence goes up with every claim"
    assert run_with(new_stages(), again, FakeNetwork())
    assert all(row.attempts == 1 for row in rows_of_job(ground, job))


def test_a_run_that_is_told_of_its_lost_lease_writes_nothing(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    job = submit_numbers(ground, tenant, digits_model, 8)
    lease = claim_one(ground)
    run = ShardRun(new_stages(), lease)
    network = FakeNetwork(on_forward=lambda _: run.stop("lost"))
    assert not run.run(network, manifest_of(ground, lease))
    assert segments_of(ground, job) == []
    assert check_job(ground, job.id).request_counts["processing"] == 8


def test_a_shard_that_is_handed_back_burns_no_attempt(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    job = submit_numbers(ground, tenant, digits_model, 32)
    lease = claim_one(ground)
    run = Told(new_stages(depth=1), lease)
    keeper = Keeper(ground.database, "node-1", ground.settings)
    keeper.hold(run)
    keeper.hand_back_after(0)
    network = FakeNetwork(max_batch=2, on_forward=lambda _: run.told.wait(20))
    assert not run.run(network, manifest_of(ground, lease))
    keeper.close()
    (shard,) = shards_of(ground, job.id)
    assert shard.state is ShardState.PENDING
    assert (shard.deaths, shard.expiries, shard.errors, shard.not_before) == (0, 0, 0, 0)
    assert read_job(ground, job.id).share == pytest.approx(0)
    assert segments_of(ground, job) == []
    again = claim_one(ground, "node-2")
    assert run_with(new_stages(), again, FakeNetwork())
    assert check_job(ground, job.id).completed == 32


class Away(Storage):
    """Cannot write, until it is told to."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.tries = 0

    def create(self, name: str):
        self.tries += 1
        if self.tries < 3:
            raise StorageError("the disk is full")
        return super().create(name)


def test_a_run_that_waits_for_the_store_is_not_taken_for_stuck(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    job = submit_numbers(ground, tenant, digits_model, 4)
    lease = claim_one(ground)
    away = Away(ground.storage.url)
    run = ShardRun(new_stages(dataclasses.replace(ground, storage=away)), lease)
    before = run.moved_at
    assert run.run(FakeNetwork(), manifest_of(ground, lease))
    assert away.tries == 3
    assert run.moved_at > before + 0.5, "each pause counts as a movement"
    assert check_job(ground, job.id).completed == 4


class Slow:
    """An egress whose last server answers only when the run has been seen to move."""

    run: ShardRun

    def get(self, url: str, max_bytes: int, stopped: threading.Event, need: object) -> bytes:
        number = url.rpartition("/")[2]
        if number == "3":
            raise EgressError("no answer", code="url_timeout", retryable=True)
        if number == "31":
            started, deadline = self.run.moved_at, time.monotonic() + 10
            while self.run.moved_at == started and time.monotonic() < deadline:
                time.sleep(0.001)
            # A run that reads is given time beforehand; a movement ends that.
            assert self.run.moved_at != started
        return number.encode()


def test_urls_that_answer_slowly_are_progress_and_cost_themselves_when_they_fail(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    requests = tuple(Request(f"n{n}", url=f"https://example.com/{n}") for n in range(32))
    job = submit_items(ground, tenant, digits_model, requests=requests)
    slow, lease = Slow(), claim_one(ground)
    slow.run = run = ShardRun(new_stages(outside=slow), lease)
    run.moved_at = 0.0
    assert run.run(FakeNetwork(), manifest_of(ground, lease))
    expected = numbers(32)
    assert answers_of(ground, job) == [*expected[:3], "url_timeout", *expected[4:]]
    assert rows_of_job(ground, job)[3].error.retryable


def test_an_item_with_more_bytes_than_the_model_takes_is_not_even_read(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    network = FakeNetwork()
    limits = dataclasses.replace(network.record.limits, max_bytes=3)
    network.record = dataclasses.replace(network.record, limits=limits)
    job = submit_contents(ground, tenant, digits_model, [b"1", b"12345", b"2"])
    assert run_with(new_stages(), claim_one(ground), network)
    assert answers_of(ground, job) == ["1", "image_too_large", "2"]
