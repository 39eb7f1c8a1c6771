"""Batches: what shares one, how large it gets, and what of it fails alone."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

from jobs.base.bootstrap import Ground
from jobs.queue.scheduling import ShardLease
from jobs.tables import ModelVersion
from jobs.tenants.keys import NewKey
from jobs.versions.registry import register
from tests.integration.jobs.builders import claim_one
from tests.integration.jobs.checks import check_job
from tests.integration.workers.fakes import (
    FakeNetwork,
    answers_of,
    numbers,
    rows_of_job,
    run_with,
    submit_contents,
    submit_numbers,
)
from workers.engine.stages import Stages

# What a database does differently is tested with the room that asks it, in integration/jobs.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

NewStages = Callable[..., Stages]


def run_together(stages: Stages, runs: Sequence[tuple[ShardLease, FakeNetwork]]) -> None:
    """Run shards side by side to their end."""
    threads = [threading.Thread(target=run_with, args=(stages, *each)) for each in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


def test_chunks_of_different_jobs_with_equal_parameters_share_a_batch(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    assert batches_of_two_jobs(ground, tenant, digits_model, new_stages, [{}, {}]) == [20]


def test_chunks_with_different_parameters_do_not_share_a_batch(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    params = [{"top_k": 1}, {"top_k": 2}]
    assert batches_of_two_jobs(ground, tenant, digits_model, new_stages, params) == [10, 10]


def test_chunks_that_together_are_too_many_do_not_share_a_batch(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    batches = batches_of_two_jobs(ground, tenant, digits_model, new_stages, [{}, {}], max_batch=15)
    assert batches == [10, 10]


def test_equal_weights_under_two_names_do_not_share_a_batch(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    other = register(
        ground.database, ground.storage, "other", digits_model.record, b"", digits_model.digest
    )
    barrier = threading.Barrier(2)
    runs = []
    for model in (digits_model, other):
        submit_numbers(ground, tenant, model, 10)
        network = FakeNetwork(on_prepare=lambda d: barrier.wait(30) if d == b"0" else None)
        runs.append((claim_one(ground), network))
    run_together(new_stages(wait_s=20), runs)
    assert [network.batches for _, network in runs] == [[10], [10]]


def batches_of_two_jobs(
    ground: Ground,
    tenant: NewKey,
    model: ModelVersion,
    new_stages: NewStages,
    params: list[dict[str, Any]],
    max_batch: int = 64,
) -> list[int]:
    # No chunk is decoded before both are being decoded: so both have been announced.
    barrier = threading.Barrier(2)
    network = FakeNetwork(
        max_batch, on_prepare=lambda data: barrier.wait(30) if data == b"0" else None
    )
    jobs = [submit_numbers(ground, tenant, model, 10, params=each) for each in params]
    stages, leases = new_stages(wait_s=20), [claim_one(ground), claim_one(ground)]
    run_together(stages, [(each, network) for each in leases])
    for job in jobs:
        check_job(ground, job.id)
        assert answers_of(ground, job) == numbers(10)
    return network.batches


def test_a_lone_chunk_does_not_wait_for_company_that_is_not_coming(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    job = submit_numbers(ground, tenant, digits_model, 10)
    done = threading.Event()
    stages, lease = new_stages(wait_s=3600), claim_one(ground)

    def run() -> None:
        run_with(stages, lease, FakeNetwork())
        done.set()

    threading.Thread(target=run, daemon=True).start()
    assert done.wait(20)
    assert answers_of(ground, job) == numbers(10)


def test_no_batch_is_larger_than_the_network_allows(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    job = submit_numbers(ground, tenant, digits_model, 32)
    network = FakeNetwork(max_batch=7)
    assert run_with(new_stages(), claim_one(ground), network)
    assert max(network.batches) <= 7
    assert sum(network.batches) == 32
    assert answers_of(ground, job) == numbers(32)


def test_a_network_that_runs_out_of_memory_above_four_still_gives_every_result(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    def small(samples: list[int]) -> None:
        if len(samples) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")

    job = submit_numbers(ground, tenant, digits_model, 32)
    network = FakeNetwork(on_forward=small)
    assert run_with(new_stages(), claim_one(ground), network)
    assert check_job(ground, job.id).completed == 32
    assert answers_of(ground, job) == numbers(32)
    assert min(network.batches) == 4, "down to what fits, and no further"


def test_an_item_that_is_too_large_alone_errors_alone(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    def greedy(samples: list[int]) -> None:
        if 9 in samples:
            raise torch.OutOfMemoryError("CUDA out of memory")

    job = submit_numbers(ground, tenant, digits_model, 32)
    run_with(new_stages(), claim_one(ground), FakeNetwork(on_forward=greedy))
    expected = numbers(32)
    assert answers_of(ground, job) == [*expected[:9], "out_of_memory", *expected[10:]]
    assert rows_of_job(ground, job)[9].error.retryable


@pytest.mark.parametrize("poison", [[0], [13], [31], [12, 13], list(range(32))])
def test_poison_samples_error_alone_wherever_they_stand(
    ground: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    new_stages: NewStages,
    poison: list[int],
) -> None:
    def sick(samples: list[int]) -> None:
        if set(samples) & set(poison):
            raise RuntimeError("device-side assert")

    job = submit_numbers(ground, tenant, digits_model, 32)
    assert run_with(new_stages(), claim_one(ground), FakeNetwork(on_forward=sick))
    codes = ["inference_failed" if n in poison else str(n) for n in range(32)]
    assert answers_of(ground, job) == codes
    assert check_job(ground, job.id).failed == len(poison)


def test_poison_of_one_job_costs_nothing_in_the_other_job_of_its_batch(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    barrier = threading.Barrier(2)

    def meet(data: bytes) -> None:
        if data in (b"0", b"100"):
            barrier.wait(30)

    def sick(samples: list[int]) -> None:
        if 105 in samples:
            raise RuntimeError("device-side assert")

    network = FakeNetwork(on_prepare=meet, on_forward=sick)
    first = submit_numbers(ground, tenant, digits_model, 10)
    others = [str(100 + number).encode() for number in range(10)]
    second = submit_contents(ground, tenant, digits_model, others)
    stages, leases = new_stages(wait_s=20), [claim_one(ground), claim_one(ground)]
    run_together(stages, [(each, network) for each in leases])
    assert network.batches[0] == 20
    assert answers_of(ground, first) == numbers(10)
    expected = [str(100 + number) for number in range(10)]
    assert answers_of(ground, second) == [*expected[:5], "inference_failed", *expected[6:]]
